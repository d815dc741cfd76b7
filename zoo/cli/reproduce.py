"""``zoo reproduce``: train a model again from its own recipe, and compare."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from zoo.cli.options import common_options, is_strict
from zoo.cli.output import write_json
from zoo.config import assigned
from zoo.errors import ZooError


@click.command("reproduce")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path), help="The new run. Default: one under runs.")
@click.option("--threads", metavar="N", type=click.IntRange(min=1), help="CPU threads. Default: the source's.")
@click.option(
    "--set",
    "assignments",
    metavar="KEY=VALUE",
    multiple=True,
    help="data.root=DIR, or of a table data.images=DIR, where the data are elsewhere; nothing else.",
)
@common_options
def reproduce(
    source: Path,
    out: Path | None,
    threads: int | None,
    assignments: tuple[str, ...],
    quiet: bool,
    as_json: bool,
) -> None:
    """Train a model again from its recipe, and compare.

    SOURCE is a run, a folder that 'zoo publish' made, its model.safetensors alone, weights:NAME or hf:USER/NAME@COMMIT.
    Data that are not those that it was trained on stop it before it begins. With --strict, weights that are not equal
    to the bit are an error, too.
    """
    from zoo.cli.transcript import Silence, Transcript
    from zoo.sharing.reproducing import reproduce as train_again

    reporter = Silence() if quiet or as_json else Transcript()
    options = dict(map(assigned, assignments))
    found = train_again(source, out=out, options=options, threads=threads, reporter=reporter)
    if as_json:
        write_json(found)
    else:
        click.echo("\n".join(_told(found)))
    if is_strict() and not found["equal"]:
        raise ZooError(f"{found['different']} of {found['tensors']} tensors are not those of {found['source']}")


def _told(found: Mapping[str, Any]) -> list[str]:
    accuracy, images = f"{100 * found['accuracy']:.2f} %", f"{found['samples']:,} images"
    if found["equal"]:
        return [f"equal to the bit: all {found['tensors']} tensors of {found['source']}; {accuracy} on {images}"]
    reasons = "; ".join(found["reasons"]) or "nothing that is recorded of how they were computed differs"
    here, difference = 100 * found["new_accuracy"], 100 * (found["new_accuracy"] - found["accuracy"])
    only = f"{found['source_only']:,} right there alone, {found['new_only']:,} here alone"
    return [
        f"not equal: {found['different']} of {found['tensors']} tensors of {found['source']} differ ({reasons})",
        f"test accuracy {accuracy} there, {here:.2f} % here: {difference:+.2f} points on {images}",
        f"{only}: McNemar's p {found['p']:.3g}",
    ]
