"""``zoo predict``: what a run's model says of image files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from zoo.cli.options import common_options
from zoo.cli.output import write_json


@click.command("predict")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("images", nargs=-1, required=True, type=click.Path(), metavar="IMAGE...")
@click.option("--top-k", type=click.IntRange(min=1), default=1, show_default=True, help="How many classes to tell of.")
@click.option(
    "--checkpoint", type=click.Choice(["best", "last"]), default="best", show_default=True, help="Which weights."
)
@common_options
def predict(
    run: Path,
    images: tuple[str, ...],
    top_k: int,
    checkpoint: str,
    quiet: bool,  # noqa: ARG001 - every command takes --quiet
    as_json: bool,
) -> None:
    """Classify image files with a run's model.

    RUN is a run's directory. Each IMAGE is made grey or coloured and resized like the images that the model knows; it
    gives one line: the file, the likeliest label and its probability.
    """
    from zoo.runs.predicting import predict as classify

    found = classify(run, images, top_k=top_k, checkpoint=checkpoint)
    if as_json:
        write_json({"predictions": [dataclasses.asdict(prediction) for prediction in found]})
        return
    for prediction in found:
        likely = zip(prediction.labels, prediction.probabilities, strict=True)
        click.echo("\t".join([prediction.image, *(f"{label}\t{100 * p:.2f} %" for label, p in likely)]))
