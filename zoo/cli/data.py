"""``zoo data``: what there is to know of a dataset before anything is learnt from it."""

from __future__ import annotations

import click

from zoo.cli.lazy import LazyCommand, LazyGroup

COMMANDS = (
    LazyCommand("check", "zoo.cli.data_check:check", "Look at every image of a dataset, and tell what is wrong."),
    LazyCommand(
        "sheet",
        "zoo.cli.data_sheet:sheet",
        "Draw some training images as the model is shown them, each epoch in its own way.",
    ),
)


@click.group(cls=LazyGroup, lazy=COMMANDS)
def data() -> None:
    """Look through datasets."""
