"""``zoo evaluate``: a run's numbers, measured again."""

from __future__ import annotations

from pathlib import Path

import click

from zoo.cli.options import common_options
from zoo.cli.output import write_json


@click.command("evaluate")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--split",
    type=click.Choice(["test", "validation", "train"]),
    default="test",
    show_default=True,
    help="On which images.",
)
@click.option(
    "--checkpoint", type=click.Choice(["best", "last"]), default="best", show_default=True, help="Which weights."
)
@common_options
def evaluate(run: Path, split: str, checkpoint: str, quiet: bool, as_json: bool) -> None:  # noqa: ARG001 - every command takes --quiet
    """Measure a run's checkpoint again.

    RUN is a run's directory. The recorded batch size, precision and threads are used, so that the logged numbers come
    out again, to the bit.
    """
    from zoo.runs.evaluating import evaluate as measure
    from zoo.training.evaluation import standard_error

    found = measure(run, split=split, checkpoint=checkpoint)
    if as_json:
        write_json(found)
        return
    error = standard_error(found["accuracy"], found["samples"])
    five = "" if found["top5_accuracy"] is None else f", top-5 {100 * found['top5_accuracy']:.2f} %"
    click.echo(
        f"{split} accuracy {100 * found['accuracy']:.2f} % +- {100 * error:.2f}{five}, loss {found['loss']:.4f} "
        f"on {found['samples']:,} images ({checkpoint} checkpoint, epoch {found['epoch']})"
    )
