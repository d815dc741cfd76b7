"""``zoo runs``: what was trained, and how it stands."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli.options import common_options
from zoo.cli.output import percent, write_json, write_table

if TYPE_CHECKING:
    from zoo.records.history import PastRun
    from zoo.reports.leaderboard import Recipe
    from zoo.reports.statistics import Mean


@click.command("runs")
@click.argument("folder", default="runs", type=click.Path(path_type=Path))
@click.option("--sort", metavar="KEY", help="Rank by a key of summary.json or config.toml. Default: val_accuracy.")
@click.option(
    "--where",
    "conditions",
    metavar="KEY=VALUE",
    multiple=True,
    help="Only runs with this value, which may have * and ?: model=*resnet*, train.seed=1.",
)
@click.option("--group", is_flag=True, help="Put runs that differ in nothing but the seed together, with their means.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@common_options
def runs(
    folder: Path,
    sort: str | None,
    conditions: tuple[str, ...],
    group: bool,
    as_csv: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """List the runs in a folder.

    FOLDER is runs by default. The best validation accuracy stands first; the test accuracy is shown, and ranks only
    where --sort asks for it. A run that was killed can go on: zoo train --resume RUN.
    """
    from zoo.records.history import list_runs
    from zoo.reports.leaderboard import chosen, in_order, recipes

    found = chosen(list_runs(folder), conditions)
    if group:
        _write_recipes(recipes(found), as_csv=as_csv, as_json=as_json)
        return
    found = in_order(found, sort)
    if as_json:
        write_json({"runs": [_document(run) for run in found]})
        return
    if as_csv:
        _write_csv([_plain(_document(run)) for run in found])
        return
    _write_runs(found, folder, quiet=quiet)


def _document(run: PastRun) -> dict[str, Any]:
    return {**run.summary, "directory": str(run.directory), "status": run.status, "damages": run.damages}


def _plain(document: dict[str, Any]) -> dict[str, Any]:
    """Return a run as a row of CSV: the members of an ensemble by their names."""
    members = document.get("members")
    return document if members is None else {**document, "members": "; ".join(each["run"] for each in members)}


def _write_runs(found: Sequence[PastRun], folder: Path, *, quiet: bool) -> None:
    if not found and not quiet:
        click.echo(f"no runs in {folder}", err=True)
    rows = [
        (str(run.directory), run.status, *_row(run.summary), percent(run.summary.get("test_accuracy"))) for run in found
    ]
    if rows:
        write_table(("RUN", "STATUS", "MODEL", "DATA", "EPOCHS", "VALIDATION", "TEST"), rows)
    for run in found:
        for damage in run.damages:
            click.echo(f"zoo: {damage}", err=True)


def _write_csv(rows: Sequence[dict[str, Any]]) -> None:
    text = io.StringIO()
    columns = list(dict.fromkeys(key for row in rows for key in ("directory", "status", *row)))
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row, "damages": "; ".join(row["damages"])} if "damages" in row else row for row in rows)
    click.echo(text.getvalue(), nl=False)


def _write_recipes(found: Sequence[Recipe], *, as_csv: bool, as_json: bool) -> None:
    documents = [
        {
            "runs": [str(run.directory) for run in recipe.runs],
            "model": recipe.runs[0].summary.get("model"),
            "data": recipe.runs[0].summary.get("data"),
            "validation": _told(recipe.validation),
            "test": _told(recipe.test),
        }
        for recipe in found
    ]
    if as_json:
        write_json({"recipes": documents})
    elif as_csv:
        _write_csv([_flat(document) for document in documents])
    elif documents:
        rows = [
            (
                str(r.runs[0].directory),
                str(len(r.runs)),
                *_row(r.runs[0].summary)[:2],
                _mean(r.validation),
                _mean(r.test),
            )
            for r in found
        ]
        write_table(("FIRST RUN", "SEEDS", "MODEL", "DATA", "VALIDATION", "TEST"), rows)


def _told(mean: Mean | None) -> dict[str, Any] | None:
    if mean is None:
        return None
    interval = [mean.interval.low, mean.interval.high] if mean.interval else None
    return {"mean": mean.value, "deviation": mean.deviation, "interval": interval, "count": mean.count}


def _flat(document: dict[str, Any]) -> dict[str, Any]:
    found = {"directory": document["runs"][0], "seeds": len(document["runs"])}
    found |= {key: document[key] for key in ("model", "data")}
    for split in ("validation", "test"):
        found |= {f"{split}_{key}": (document[split] or {}).get(key) for key in ("mean", "deviation", "count")}
    return found


def _mean(mean: Mean | None) -> str:
    if mean is None:
        return ""
    half = "" if mean.interval is None else f" +- {50 * (mean.interval.high - mean.interval.low):.2f}"
    return f"{100 * mean.value:.2f} %{half}"


def _row(summary: dict[str, Any]) -> tuple[str, str, str, str]:
    from zoo.records.history import model_in_words

    return (
        model_in_words(summary),
        str(summary.get("data", "?")),
        str(summary.get("epochs", "?")),
        percent(summary.get("val_accuracy")),
    )
