"""``zoo compare``: whether one run is better than another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from zoo.cli.options import common_options
from zoo.cli.output import percent, table, write_json

_EPOCHS = 20  # rows that are printed of longer runs, the last ones


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN RUN...")
@click.option(
    "--split",
    type=click.Choice(["test", "validation"]),
    default="test",
    show_default=True,
    help="On which images.",
)
@click.option("--html", metavar="FILE", type=click.Path(path_type=Path), help="Write the comparison as a page, too.")
@common_options
def compare(runs: tuple[Path, ...], split: str, html: Path | None, quiet: bool, as_json: bool) -> None:
    """Compare runs, and test whether they differ.

    \b
      zoo compare runs/a runs/b
      zoo compare runs/*

    Two trained models are compared on the very same images, by McNemar's exact test. Runs that differ in nothing but
    the seed are one recipe, and recipes are compared by their means over the seeds.
    """  # noqa: D301 - click wants the control character itself
    from zoo.reports.comparison import compare as measure

    found = measure(*runs, split=split)
    if html is not None:
        from zoo.reports.comparison_page import write_comparison

        write_comparison(found, html)
    if as_json:
        write_json(found)
        return
    from zoo.reports.conclusions import conclusions

    lines = [*_runs(found), *([] if quiet else _details(found)), "", *conclusions(found)]
    click.echo("\n".join(lines + ([str(html)] if html is not None else [])))


def _runs(found: Mapping[str, Any]) -> Iterator[str]:
    header = ("RUN", "MODEL", "SEED", "VALIDATION", found["split"].upper(), "95 % INTERVAL", "IMAGES")
    rows = [
        (
            run["name"],
            run["model"],
            str(run["seed"]),
            percent(run["val_accuracy"]),
            percent(run["accuracy"]),
            _interval(run["interval"]),
            f"{run['samples']:,}",
        )
        for run in found["runs"]
    ]
    return table([header, *rows])


def _details(found: Mapping[str, Any]) -> Iterator[str]:
    names = [run["name"] for run in found["runs"]]
    if found["settings"]:
        rows = [(row["key"], *(_value(value) for value in row["values"])) for row in found["settings"]]
        yield from ("", *table([("SETTING", *names), *rows]))
    count = max(map(len, found["epochs"]), default=0)
    rows = [
        (
            str(epoch + 1),
            *(percent(rows[epoch].get("val_accuracy")) if epoch < len(rows) else "" for rows in found["epochs"]),
        )
        for epoch in range(max(0, count - _EPOCHS), count)
    ]
    if any(cell for row in rows for cell in row[1:]):
        yield from ("", *table([("EPOCH", *names), *rows]))


def _interval(interval: Sequence[float] | None) -> str:
    return "" if interval is None else f"{100 * interval[0]:.2f} to {100 * interval[1]:.2f} %"


def _value(value: Any) -> str:
    return "-" if value is None else str(value)
