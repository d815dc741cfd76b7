"""``zoo ensemble``: several trained runs that answer as one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli.options import common_options
from zoo.cli.output import percent, table, write_json
from zoo.config import assigned

if TYPE_CHECKING:
    from zoo.runs.run import Run


@click.command("ensemble")
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN ...", type=click.Path(path_type=Path))
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path), help="The new run. Default: one under runs.")
@click.option(
    "--set",
    "assignments",
    metavar="KEY=VALUE",
    multiple=True,
    help="data.root=DIR, or of a table data.images=DIR, where the images have moved; nothing else.",
)
@common_options
def ensemble(
    runs: tuple[Path, ...], out: Path | None, assignments: tuple[str, ...], quiet: bool, as_json: bool
) -> None:
    """Make one model of several trained runs.

    \b
      zoo ensemble runs/seeds/seed-0 runs/seeds/seed-1 runs/seeds/seed-2 --out runs/three

    Each RUN is a finished run's directory; their models may differ, their data may not. The new run's model gives the
    mean of the members' probabilities, in one forward pass, each member seeing the images as it was trained on them. It
    is measured on the test images, holds all weights itself, and is taken by evaluate, predict, export, publish, report
    and compare as any run is.
    """  # noqa: D301 - click wants the control character itself
    from zoo.runs.elsewhere import refuse_missing

    for run in runs:
        refuse_missing(run)
    from zoo.runs.ensembling import ensemble as make

    made = make(runs, out=out, options=dict(map(assigned, assignments)))
    if as_json:
        write_json({"run": str(made.directory), **made.summary})
        return
    click.echo(_headline(made))
    if not quiet:
        click.echo("\n".join(_details(made.summary)))


def _headline(made: Run) -> str:
    from zoo.training.evaluation import standard_error

    summary = made.summary
    error = standard_error(summary["test_accuracy"], summary["test"])
    return (
        f"{made.directory}: test accuracy {100 * summary['test_accuracy']:.2f} % +- {100 * error:.2f} on "
        f"{summary['test']:,} images, the mean of {len(summary['members'])} members' probabilities"
    )


def _details(summary: Mapping[str, Any]) -> Iterator[str]:
    """Yield what each member is alone, and what is known of the validation images."""
    rows = [
        (each["run"], each["model"], percent(each["val_accuracy"]), percent(each["test_accuracy"]))
        for each in summary["members"]
    ]
    yield from table([("MEMBER", "MODEL", "VALIDATION", "TEST"), *rows])
    if any(each["test_accuracy"] is None for each in summary["members"]):
        yield "where no test accuracy stands, it was measured on other test images, as data.limit chooses by the seed"
    accuracy = summary["val_accuracy"]
    if accuracy is not None:
        images = f"{summary['validation']:,} images that no member has learnt"
        yield f"validation accuracy {100 * accuracy:.2f} % on {images}"
    else:
        none = all(each["val_accuracy"] is None for each in summary["members"])
        reason = "no images" if none else "other images each, so that some member learnt each of them"
        yield f"no validation accuracy: the members held out {reason}"
