"""The observers of this plugin."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

COLUMNS = ("epoch", "loss", "val_loss", "val_accuracy", "lr")


class PenguinCsv:
    """Writes the epochs of a run to ``penguin.csv`` in the run's directory.

    An observer has any of the methods ``run_started``, ``epoch_finished``, ``checkpoint_saved``, ``run_finished`` and
    ``run_failed``, and each names the arguments that it wants. They get read-only data. One that raises is reported
    once and then left out; it never harms the run.

    Args:
        delimiter: What stands between two numbers, one character.

    Raises:
        ValueError: If *delimiter* is not one character.
    """

    def __init__(self, *, delimiter: str = ",") -> None:
        if len(delimiter) != 1:
            raise ValueError(f"delimiter must be one character, not {delimiter!r}")
        self._delimiter = delimiter

    def epoch_finished(self, run: Mapping[str, Any], epoch: Mapping[str, Any]) -> None:
        """Add the epoch's row, in place of one that an interrupted run left of it and of those after it."""
        path = Path(run["directory"]) / "penguin.csv"
        rows = [row for row in self._read(path) if int(row["epoch"]) < epoch["epoch"]]
        rows.append({column: epoch[column] for column in COLUMNS})
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, delimiter=self._delimiter)
            writer.writeheader()
            writer.writerows(rows)

    def _read(self, path: Path) -> list[dict[str, Any]]:
        if not path.exists():
            return []
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file, delimiter=self._delimiter))
