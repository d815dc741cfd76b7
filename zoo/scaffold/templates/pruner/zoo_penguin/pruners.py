"""The pruners of this plugin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class PenguinPatience:
    """Ends a trial whose score has not become better for some epochs.

    A pruner is asked at each epoch's end whether a trial goes on. What it says follows from the scores alone, so that a
    killed sweep goes on alike.

    Args:
        epochs: How many, at least 1.

    Raises:
        ValueError: If *epochs* is less.
    """

    def __init__(self, *, epochs: int = 3) -> None:
        if epochs < 1:
            raise ValueError(f"epochs must be at least 1, not {epochs}")
        self._epochs = epochs

    def keeps(self, scores: Sequence[float], others: Sequence[Any]) -> bool:
        """Return whether a trial goes on.

        Args:
            scores: Of each epoch so far on the validation images, higher being better.
            others: The trials with lower numbers and their ``scores``: of no use to this one.
        """
        del others
        return len(scores) - 1 - scores.index(max(scores)) < self._epochs
