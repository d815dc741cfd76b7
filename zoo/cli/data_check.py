"""``zoo data check``: what is wrong with a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from zoo.cli.completion import complete_names
from zoo.cli.options import common_options
from zoo.cli.output import one_line, write_json
from zoo.config import assigned
from zoo.errors import debugging

_SHOWN = 5  # images or classes of a finding
_MARKS = {"damaged": "damaged", "falsifies": "wrong", "doubtful": "look"}


@click.command("check")
@click.argument("data", shell_complete=complete_names("datasets"))
@click.option(
    "--set",
    "assignments",
    metavar="data.OPTION=VALUE",
    multiple=True,
    help="An option of the dataset, such as data.root=FILE.",
)
@common_options
def check(data: str, assignments: tuple[str, ...], quiet: bool, as_json: bool) -> int:
    """Look at every image of a dataset, and tell what is wrong.

    DATA is a folder of images, a table, archive, arrays or pack, or a dataset's name. Told are images that cannot be
    read, that are in two splits or two classes, or look the same; classes with few images; one class that is nearly
    all; odd sizes. The exit code is 4 for images that cannot be read, and 1 for what would falsify a result.
    """
    from zoo.runs.checking import check_data, exit_code

    found = check_data(data, options=dict(map(assigned, assignments)))
    if as_json:
        write_json(found)
    else:
        _write(found, quiet=quiet)
    return exit_code(found)


def _write(found: Mapping[str, Any], *, quiet: bool) -> None:
    splits = ", ".join(f"{count:,} {part}" for part, count in found["splits"].items())
    if splits and not quiet:
        click.echo(f"{found['data']}: {splits} images of {found['classes']:,} classes")
    for finding in found["findings"]:
        click.echo(f"{_MARKS[finding['severity']]:<8} {finding['summary']}")
        shown = finding["items"] if debugging() else finding["items"][:_SHOWN]
        for item in shown:
            click.echo(f"         {'  '.join(map(one_line, item))}")
        if len(shown) < len(finding["items"]):
            click.echo(f"         and {len(finding['items']) - len(shown):,} more; --json tells all")
    if not found["findings"] and not quiet:
        click.echo("nothing is wrong")
