"""Data on stdout: tables that fit the terminal and are whole in a pipe, and JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import click

SCHEMA = 1


def write_json(document: Mapping[str, Any]) -> None:
    """Print a JSON document that states its schema; what JSON cannot say is written as Python shows it."""
    import json

    click.echo(json.dumps({"schema": SCHEMA, **document}, indent=2, ensure_ascii=False, default=repr))


def write_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under a header on a terminal, cut to its width, and rows alone and whole in a pipe."""
    width = terminal_width()
    click.echo("\n".join(table(rows if width is None else [header, *rows], width)))


def terminal_width() -> int | None:
    """Return the terminal's width in columns, or None where stdout is a pipe or a file, whose lines stay whole."""
    if not sys.stdout.isatty():
        return None
    from shutil import get_terminal_size

    return get_terminal_size().columns


def table(rows: Iterable[Sequence[str]], width: int | None = None) -> Iterator[str]:
    """Yield one line a row, its cells aligned.

    Args:
        rows: Cells; all rows have equally many.
        width: Columns after which a line is cut, but never within its first cell, which is a name to copy.
    """
    rows = list(rows)
    template = "  ".join(f"{{:<{max(map(len, column))}}}" for column in zip(*rows, strict=True))
    for row in rows:
        line = template.format(*row).rstrip()
        room = len(line) if width is None else max(width, len(row[0]))
        yield line if len(line) <= room else f"{line[: room - 1]}…" if room > len(row[0]) else row[0]
