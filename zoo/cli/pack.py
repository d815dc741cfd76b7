"""``zoo pack``: a dataset in one file that trains faster."""

from __future__ import annotations

from pathlib import Path

import click

from zoo.cli.completion import complete_names
from zoo.cli.options import common_options
from zoo.cli.output import write_json
from zoo.config import assigned


@click.command("pack")
@click.argument("data", shell_complete=complete_names("datasets"))
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--size",
    metavar="N",
    type=click.IntRange(min=1),
    help="The side in pixels to pack for. Default: the dataset's choice.",
)
@click.option(
    "--raw", is_flag=True, help="Keep the pixels in that size: larger, faster still, and with the bits of the files."
)
@click.option(
    "--quality", metavar="N", type=click.IntRange(1, 100), default=90, show_default=True, help="Of the JPEGs."
)
@click.option(
    "--set",
    "assignments",
    metavar="data.OPTION=VALUE",
    multiple=True,
    help="An option of the dataset, such as data.root=FILE.",
)
@common_options
def pack(
    data: str,
    file: Path,
    size: int | None,
    raw: bool,
    quality: int,
    assignments: tuple[str, ...],
    quiet: bool,
    as_json: bool,
) -> None:
    """Write a dataset into one file that trains several times as fast.

    DATA is a folder of images, a table, archive, arrays or pack, or a dataset's name. Pictures larger than 1.15 times
    the size are shrunk to that, the others stay as they are; splits, classes and names stay. FILE gets its name when it
    was read back and is whole: zoo train --data packed --set data.root=FILE.
    """
    from zoo.runs.packing import pack as write

    found = write(data, file, options=dict(map(assigned, assignments)), size=size, raw=raw, quality=quality)
    if as_json:
        write_json(found)
    elif not quiet:
        splits = ", ".join(f"{count:,} {part}" for part, count in found["splits"].items())
        kept = f", {found['kept']:,} of them as they were" if found["kept"] else ""
        click.echo(f"{found['file']}: {splits} images{kept}, {found['bytes'] / 1e6:,.1f} MB")
        click.echo(f"next: zoo train --data packed --set data.root={found['file']}")
