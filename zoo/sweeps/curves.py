"""How good a trial was after each of its epochs, from its files."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import DamagedError
from zoo.records.directory import ended_summary
from zoo.records.sweeps import score_of


@dataclass(frozen=True)
class Curve:
    """How good a trial was on the validation images.

    Attributes:
        scores: After each epoch from the first on, higher being better; the last one's again where an epoch was not
            validated, and -inf before the first that was.
        finished: Whether the trial came to its end.
    """

    scores: tuple[float, ...]
    finished: bool = False

    def best_until(self, epoch: int) -> float:
        """Return the best score of the first *epoch* epochs, which must be at least 1."""
        return max(self.scores[:epoch])


def curve_of(directory: Path, select: str) -> Curve:
    """Return a trial's curve as it stands on the disk; without scores where its metrics.csv is missing or damaged.

    Args:
        directory: Its run directory.
        select: What it is judged by, as its epochs are: ``"accuracy"``, ``"balanced"`` or ``"loss"``.
    """
    from zoo.reports.story import read_epochs  # with NumPy, which other sweeps do not wait for

    scores: list[float] = []
    with contextlib.suppress(DamagedError):  # the trial's own process tells of it, and writes it anew
        for row in read_epochs(directory):
            if row["epoch"]:  # a probe's, before the first, is nobody's score
                score = score_of(row, select)
                scores.append(score if score is not None else scores[-1] if scores else -math.inf)
    return Curve(tuple(scores), finished=ended_summary(directory).get("status") == "finished")
