"""``zoo report``: the page of a run."""

from __future__ import annotations

from pathlib import Path

import click

from zoo.cli.options import common_options
from zoo.cli.output import write_json


@click.command("report")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Where the page goes; the numbers go beside it. Default: RUN/report.html.",
)
@common_options
def report(run: Path, out: Path | None, quiet: bool, as_json: bool) -> None:  # noqa: ARG001 - every command takes --quiet
    """Write the page of a run or a sweep.

    RUN is its directory; it may still be going on. The page is one HTML file that needs no network: accuracy with
    its interval, curves, confused classes, the worst mistakes, calibration, settings. Nothing is computed anew:
    'zoo evaluate' keeps what the page shows.
    """
    from zoo.reports.report import report as write

    page = write(run, out)
    if as_json:
        write_json({"run": str(run), "page": str(page), "data": str(page.with_suffix(".json"))})
    else:
        click.echo(page)
