"""The command ``zoo``: what it consists of. Each command stands in a file of its own."""

from __future__ import annotations

import click

import zoo
from zoo.cli.lazy import LazyCommand, LazyGroup

COMMANDS = (
    LazyCommand("train", "zoo.cli.train:train", "Train a model and keep the run."),
    LazyCommand("sweep", "zoo.cli.sweep:sweep", "Train with several seeds, cross-validate, or search."),
    LazyCommand("lr", "zoo.cli.lr:lr", "Find a learning rate."),
    LazyCommand("evaluate", "zoo.cli.evaluate:evaluate", "Measure a run's checkpoint again."),
    LazyCommand("ensemble", "zoo.cli.ensemble:ensemble", "Make one model of several trained runs."),
    LazyCommand("calibrate", "zoo.cli.calibrate:calibrate", "Fit the temperature of a run's confidence."),
    LazyCommand("predict", "zoo.cli.predict:predict", "Classify images with a run's model."),
    LazyCommand("explain", "zoo.cli.explain:explain", "Show where in an image a model sees a class."),
    LazyCommand("export", "zoo.cli.export:export", "Export a run's model as one file for other runtimes."),
    LazyCommand("report", "zoo.cli.report:report", "Write the page of a run or a sweep."),
    LazyCommand("publish", "zoo.cli.publish:publish", "Write a finished run as a folder to share."),
    LazyCommand("compare", "zoo.cli.compare:compare", "Compare runs, and test whether they differ."),
    LazyCommand("reproduce", "zoo.cli.reproduce:reproduce", "Train a model again from its recipe, and compare."),
    LazyCommand("data", "zoo.cli.data:data", "Look through datasets."),
    LazyCommand("pack", "zoo.cli.pack:pack", "Write a dataset into one file that trains several times as fast."),
    LazyCommand("runs", "zoo.cli.runs:runs", "List the runs in a folder."),
    LazyCommand("list", "zoo.cli.list:list_entries", "List what the installed plugins offer."),
    LazyCommand("show", "zoo.cli.show:show", "Show one entry, where it comes from and its options."),
    LazyCommand("catalogue", "zoo.cli.catalogue:catalogue", "Write a page of all registered models."),
    LazyCommand("plugins", "zoo.cli.plugins:plugins", "List the installed plugins and their state."),
)


@click.group(cls=LazyGroup, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(zoo.__version__, message="zoo %(version)s")
def cli() -> None:
    """Train image classifiers of any family under one loop.

    \b
    First steps:
      zoo train --model cnn_dropout
      zoo list models 'resnet*'
    """  # noqa: D301 - click wants the control character itself
