"""Data on stdout: tables that fit the terminal and are whole in a pipe, and JSON."""

from __future__ import annotations

import math
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import click

SCHEMA = 1

_BREAKING = {"Cc", "Zl", "Zp"}  # control characters, tabs and line ends among them, and Unicode's own line ends


def write_json(document: Mapping[str, Any]) -> None:
    """Print a JSON document that states its schema; what JSON cannot say is written as Python shows it.

    It is ASCII, with escapes: so it is valid whatever the terminal's encoding, and with file names that no encoding
    has. A number that JSON has not, such as the loss of a run that diverged, is null.
    """
    import json

    click.echo(json.dumps(_finite({"schema": SCHEMA, **document}), indent=2, allow_nan=False, default=repr))


def one_line(text: str) -> str:
    """Return *text* with escapes for what would break a line or a column of it, or cannot be written."""
    shown = text.encode("utf-8", "backslashreplace").decode()
    return "".join(repr(c)[1:-1] if unicodedata.category(c) in _BREAKING else c for c in shown)


def percent(share: float | None) -> str:
    """Return a share in [0, 1] as one reads it, nothing for None."""
    return "" if share is None else f"{100 * share:.2f} %"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


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
