"""A grid and random draws: what they propose is a function of the trial's number alone."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping
from typing import Any


class Grid:
    """Every combination of the values, the last key's moving fastest.

    Args:
        space: What to choose from, by key.
        points: Values of each range that is no list, evenly spaced, at least 1.

    Attributes:
        size: How many combinations there are.

    Raises:
        ValueError: If *points* is below 1.
    """

    def __init__(self, space: Mapping[str, Any], *, points: int = 5) -> None:
        if points < 1:
            raise ValueError(f"points must be at least 1, not {points}")
        self._values = {key: domain.points(points) for key, domain in space.items()}
        self.size = math.prod(len(values) for values in self._values.values())

    def ask(self, number: int) -> dict[str, Any] | None:
        """Return a combination, or None after the last."""
        if number >= self.size:
            return None
        chosen = next(itertools.islice(itertools.product(*self._values.values()), number, None))
        return dict(zip(self._values, chosen, strict=True))

    def tell(self, number: int, settings: Mapping[str, Any], score: float | None) -> None:
        """Do nothing: the grid stands."""


class Random:
    """Independent draws, uniform in each range, or in its logarithm.

    Each is a function of the seed, the trial's number and the key.

    Args:
        space: What to choose from, by key.
        seed: Of all draws.

    Source: Bergstra and Bengio 2012.
    """

    def __init__(self, space: Mapping[str, Any], seed: int) -> None:
        self._space, self._seed = space, seed

    def ask(self, number: int) -> dict[str, Any]:
        """Return a draw for each key."""
        return {
            key: domain.at(random.Random(f"{self._seed}/{number}/{key}").random())  # noqa: S311 - nothing secret
            for key, domain in self._space.items()
        }

    def tell(self, number: int, settings: Mapping[str, Any], score: float | None) -> None:
        """Do nothing: the draws are independent."""
