"""The rows of a table, whatever its format, each with its line."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import zoo

Row = tuple[int, Mapping[str, Any]]
"""A line, counted from 1, the header's among them, and its values by column."""

_FIELD = 1 << 20  # characters of a field at most


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a table; its name's ending tells its format.

    Raises:
        UsageError: If there is no such file, or it has another ending or a column twice, or no Parquet is read here.
        DamagedError: If a line cannot be read; it is named.
    """
    reader = _READERS.get(path.suffix.casefold())
    if reader is None:
        raise zoo.UsageError(f"{str(path)!r} is no table that zoo reads; its name must end in {', '.join(_READERS)}")
    if not path.is_file():
        raise zoo.UsageError(f"there is no table {str(path)!r}")
    return reader(path)


def _separated(path: Path, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(_FIELD)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, delimiter=delimiter, strict=True)
            header = next(rows, [])
            if twice := [name for name, count in Counter(header).items() if count > 1]:
                raise zoo.UsageError(f"{str(path)!r}, line 1: there are several columns {twice[0]!r}; name each once")
            for values in rows:
                if values and len(values) != len(header):
                    raise zoo.DamagedError(
                        f"{str(path)!r}, line {rows.line_num}: {len(values)} values for {len(header)} columns"
                    )
                if values:
                    yield rows.line_num, dict(zip(header, values, strict=True))
    except UnicodeDecodeError as error:
        raise zoo.DamagedError(f"{str(path)!r} is not UTF-8: {error.reason} at byte {error.start:,}") from error
    except csv.Error as error:
        raise zoo.DamagedError(f"{str(path)!r}, line {rows.line_num}: {error}") from error


def _json_lines(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise zoo.DamagedError(f"{str(path)!r}, line {number}: it is no JSON: {error}") from error
            if not isinstance(row, dict):
                raise zoo.DamagedError(f"{str(path)!r}, line {number}: it is no JSON object, but {line[:40]!r}")
            yield number, row


def _parquet(path: Path) -> Iterator[Row]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise zoo.UsageError(
            f"{str(path)!r} is Parquet, which needs pyarrow: pip install 'torch-zoo[table]'"
        ) from error
    try:
        with parquet.ParquetFile(path) as file:
            first = 1
            for batch in file.iter_batches():
                rows: Sequence[Mapping[str, Any]] = batch.to_pylist()
                yield from enumerate(rows, first)
                first += len(rows)
    except (ArrowException, OSError) as error:
        raise zoo.DamagedError(f"{str(path)!r} is no Parquet, or damaged: {' '.join(str(error).split())}") from error


_READERS: Mapping[str, Callable[[Path], Iterator[Row]]] = {
    ".csv": lambda path: _separated(path, ","),
    ".tsv": lambda path: _separated(path, "\t"),
    ".jsonl": _json_lines,
    ".parquet": _parquet,
}
