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
@click.option(
    "--explain",
    is_flag=True,
    help="First look what in the worst mistakes spoke for the class that they were called, and keep that.",
)
@common_options
def report(run: Path, out: Path | None, explain: bool, quiet: bool, as_json: bool) -> None:  # noqa: ARG001 - every command takes --quiet
    """Write the page of a run or a sweep.

    RUN is its directory; it may still be going on. The page is one HTML file that needs no network: accuracy with
    its interval, curves, confused classes, the worst mistakes, calibration, settings. Nothing is computed anew:
    'zoo evaluate' keeps what the page shows; with --explain the model is asked once more.
    """
    from zoo.reports.report import report as write

    if explain:
        from zoo.runs.mistakes import explain_mistakes

        explain_mistakes(run)
    page = write(run, out)
    if as_json:
        write_json({"run": str(run), "page": str(page), "data": str(page.with_suffix(".json"))})
    else:
        click.echo(page)
