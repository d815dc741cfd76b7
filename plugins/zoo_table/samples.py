"""From a table's rows to its images, each with its class, its split and its group."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import zoo
from zoo_table.reading import Row

SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("test", "testing"), "test"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "validation"),
}
"""What a split may be called, and what it is."""

_KEPT_APART = "; a group may not be divided between splits"


class Sample(NamedTuple):
    """A row: its line, file, class, split and group, empty where the table has no such column, and its weight, or 1."""

    line: int
    file: str
    label: str
    split: str
    group: str
    weight: float = 1.0


def read_samples(path: Path, rows: Iterable[Row]) -> list[Sample]:
    """Return a table's images.

    Raises:
        UsageError: If a column is missing, a value cannot be, a file is listed twice or a group is in two splits; the
            line is named.
    """
    samples = [_sample(path, line, row) for line, row in rows]
    if not samples:
        raise zoo.UsageError(f"the table {str(path)!r} has no rows")
    _check_splits(path, samples)
    _check_labels(path, samples)
    _check_once(path, samples)
    _check_groups(path, samples)
    return samples


def _sample(path: Path, line: int, row: Mapping[str, Any]) -> Sample:
    place = f"{str(path)!r}, line {line}"
    for column in ("file", "label"):
        if column not in row:
            raise zoo.UsageError(f"{place}: there is no column {column!r}; it has {', '.join(map(repr, row))}")
    file, label = row["file"], row["label"]
    if not isinstance(file, str) or not file.strip():
        raise zoo.UsageError(f"{place}: file must be a path, not {file!r}")
    split = str(row.get("split") or "").strip()
    if "split" in row and split.casefold() not in SPLITS:
        raise zoo.UsageError(f"{place}: split must be one of {', '.join(SPLITS)}, not {row['split']!r}")
    group = "" if row.get("group") is None else str(row["group"])
    return Sample(
        line, file, _label(place, label), SPLITS.get(split.casefold(), ""), group, _weight(place, row.get("weight", 1))
    )


def _weight(place: str, value: Any) -> float:
    try:
        weight = float(value)
    except (TypeError, ValueError):
        weight = math.nan
    if not 0 <= weight < math.inf:
        raise zoo.UsageError(f"{place}: weight must be a number, 0 or more, not {value!r}")
    return weight


def _label(place: str, label: Any) -> str:
    several = isinstance(label, list | tuple | dict) or (isinstance(label, str) and set(label) & set("|;"))
    if several:
        raise zoo.UsageError(f"{place}: the label {label!r} names several classes; zoo trains with one for each image")
    if label is None or isinstance(label, float) or not str(label).strip():
        raise zoo.UsageError(f"{place}: label must be the name of a class, not {label!r}")
    return str(label).strip()


def _check_splits(path: Path, samples: Sequence[Sample]) -> None:
    """Refuse a row without a split where others have one: nobody would train on it, or test with it."""
    if any(sample.split for sample in samples) and (open_ones := [sample for sample in samples if not sample.split]):
        raise zoo.UsageError(
            f"{str(path)!r}, line {open_ones[0].line}: there is no split, and other rows have one; give one to each"
        )


def _check_labels(path: Path, samples: Sequence[Sample]) -> None:
    """Refuse a label such as "cat,dog" where cat and dog are labels, too; "tench, Tinca tinca" is a name."""
    known = {sample.label for sample in samples}
    for sample in samples:
        parts = [part.strip() for part in sample.label.split(",")]
        if len(parts) > 1 and known.issuperset(parts):
            _label(f"{str(path)!r}, line {sample.line}", parts)


def _check_once(path: Path, samples: Sequence[Sample]) -> None:
    seen: dict[str, int] = {}
    for sample in samples:
        # However it is spelled: ./a.png is a.png.
        if (before := seen.setdefault(os.path.normpath(sample.file), sample.line)) != sample.line:
            raise zoo.UsageError(f"{str(path)!r}, line {sample.line}: {sample.file!r} is in line {before}, too")


def _check_groups(path: Path, samples: Sequence[Sample]) -> None:
    seen: dict[str, Sample] = {}
    for sample in samples:
        if sample.group and (other := seen.setdefault(sample.group, sample)).split != sample.split:
            raise zoo.UsageError(
                f"{str(path)!r}, line {sample.line}: the group {sample.group!r} is in {sample.split} here and in "
                f"{other.split} in line {other.line}{_KEPT_APART}"
            )
