"""Successive halving: at each rung, only as good a share of the trials goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Halving:
    """Ends a trial that, at a rung, is not among the best of those that came so far.

    Rungs are the epochs *first*, *first* times *reduction*, and so on. A trial's score there is its best until then.
    The first trial always goes on, and equal ones go on together.

    Args:
        reduction: Of how many trials one goes on, at least 2.
        first: The first rung, at least 1.

    Raises:
        ValueError: If one of them is less.

    Source: Jamieson and Talwalkar 2016; asynchronously, as in Li et al. 2020, but that a trial which was not good
    enough when it came to a rung is not gone on with later.
    """

    def __init__(self, *, reduction: int = 3, first: int = 1) -> None:
        if reduction < 2 or first < 1:
            raise ValueError(f"reduction must be at least 2 and first at least 1, not {reduction} and {first}")
        self._reduction, self._first = reduction, first

    def keeps(self, scores: Sequence[float], others: Sequence[Any]) -> bool:
        """Return whether a trial with these scores goes on."""
        epoch = len(scores)
        if not self._is_rung(epoch):
            return True
        own, there = max(scores), [other.best_until(epoch) for other in others if len(other.scores) >= epoch]
        better = sum(score > own for score in there)
        return bool(better < max(1, (len(there) + 1) // self._reduction))

    def _is_rung(self, epoch: int) -> bool:
        rung = self._first
        while rung < epoch:
            rung *= self._reduction
        return rung == epoch
