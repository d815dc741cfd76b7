"""The searchers of this plugin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class PenguinSteps:
    """Goes through each range in steps of an irrational share of it, so that any number of trials are well spread.

    A searcher proposes settings by trial number and is told how good they were; ``None`` of a trial that failed. What
    it proposes follows from the seed, the number and what it was told, so that a killed sweep goes on alike.

    Args:
        space: What to choose from, by key; ``domain.at(share)`` is the value at a share of the way, in [0, 1).
        seed: Where to begin.
        step: The share of a range that each trial goes on, in (0, 1).

    Raises:
        ValueError: If *step* is outside (0, 1).
    """

    def __init__(self, space: Mapping[str, Any], seed: int, *, step: float = 0.618034) -> None:
        if not 0 < step < 1:
            raise ValueError(f"step must be in (0, 1), not {step}")
        self._space, self._seed, self._step = space, seed, step

    def ask(self, number: int) -> dict[str, Any]:
        """Return the settings of a trial; None would say that there are no more."""
        return {
            key: domain.at(((number + 1) * self._step**place + 0.1 * self._seed) % 1)
            for place, (key, domain) in enumerate(self._space.items(), start=1)
        }

    def tell(self, number: int, settings: Mapping[str, Any], score: float | None) -> None:
        """Hear how good a trial was on the validation images, higher being better: of no use to this one."""
