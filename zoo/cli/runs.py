"""``zoo runs``: what was trained, and how it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from zoo.cli.options import common_options
from zoo.cli.output import write_json, write_table


@click.command("runs")
@click.argument("folder", default="runs", type=click.Path(path_type=Path))
@common_options
def runs(folder: Path, quiet: bool, as_json: bool) -> None:
    """List the runs in a folder.

    FOLDER is runs by default. A run that was killed can go on: zoo train --resume RUN.
    """
    from zoo.records.history import list_runs

    found = list_runs(folder)
    if as_json:
        write_json(
            {
                "runs": [
                    {**run.summary, "directory": str(run.directory), "status": run.status, "damages": run.damages}
                    for run in found
                ]
            }
        )
        return
    if not found and not quiet:
        click.echo(f"no runs in {folder}", err=True)
    rows = [
        (str(run.directory), run.status, *_row(run.summary), _percent(run.summary.get("test_accuracy")))
        for run in found
    ]
    if rows:
        write_table(("RUN", "STATUS", "MODEL", "DATA", "EPOCHS", "VALIDATION", "TEST"), rows)
    for run in found:
        for damage in run.damages:
            click.echo(f"zoo: {damage}", err=True)


def _row(summary: dict[str, Any]) -> tuple[str, str, str, str]:
    names = [str(summary.get(section, "?")) for section in ("model", "data")]
    return names[0], names[1], str(summary.get("epochs", "?")), _percent(summary.get("val_accuracy"))


def _percent(fraction: float | None) -> str:
    return "" if fraction is None else f"{100 * fraction:.2f} %"
