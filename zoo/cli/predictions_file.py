"""Predictions as a file: a table, or a line of JSON an image."""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from zoo.errors import UsageError
from zoo.records.disk import named_when_whole

if TYPE_CHECKING:
    from zoo.reports.predictions import Prediction, Unread

Write = Callable[["Prediction | Unread"], None]


@contextlib.contextmanager
def predictions_file(path: Path, top_k: int) -> Iterator[Write]:
    """Give what writes one outcome after another; the file stands under its name when all are in it, or not at all.

    Args:
        path: The file, which is replaced if it exists; its ending says how: ``.csv`` or ``.jsonl``.
        top_k: How many classes each prediction tells of.

    Raises:
        UsageError: If it has another ending, or cannot be written.
    """
    begin = _FORMATS.get(path.suffix.lower())
    if begin is None or path.is_dir():
        raise UsageError(f"--out must be a file .csv or .jsonl, not {str(path)!r}")
    with named_when_whole(path) as part:
        try:
            # A name that is no UTF-8 is escaped in the table; JSON escapes it by itself.
            file = part.open("w", encoding="utf-8", errors="backslashreplace", newline="")
        except OSError as error:
            raise UsageError(f"cannot write {str(path)!r}: {error.strerror}") from error
        with file:
            yield begin(file, top_k)


def _table(file: IO[str], top_k: int) -> Write:
    """Write a row an image: what is said of it, the other classes in further columns, and what is wrong with it."""
    from zoo.reports.predictions import Prediction

    rows = csv.writer(file)
    more = [f"{name}_{rank}" for rank in range(2, top_k + 1) for name in ("label", "probability")]
    rows.writerow(["image", "label", "probability", *more, "fault"])

    def write(outcome: Prediction | Unread) -> None:
        if isinstance(outcome, Prediction):
            named = zip([outcome.label, *outcome.labels[1:]], outcome.probabilities, strict=True)
            rows.writerow([outcome.image, *(cell for pair in named for cell in pair), ""])
        else:
            rows.writerow([outcome.image, *[""] * 2 * top_k, str(outcome.fault)])

    return write


def _lines(file: IO[str], _: int) -> Write:
    """Write an object an image: what is said of it, or its fault."""
    from zoo.reports.predictions import Prediction

    def write(outcome: Prediction | Unread) -> None:
        if isinstance(outcome, Prediction):
            said = outcome.to_dict()
        else:
            said = {"image": outcome.image, "fault": str(outcome.fault)}
        file.write(json.dumps(said) + "\n")

    return write


_FORMATS: dict[str, Callable[[IO[str], int], Write]] = {".csv": _table, ".jsonl": _lines}
