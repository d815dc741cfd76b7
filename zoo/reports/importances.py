"""Which of the searched settings made a difference, told from a search's trials."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

LEAST = 8
"""Trials below which nothing is told."""

_GROUPS = 4
"""Groups that numbers are cut into, of equally many trials."""


def explained(values: Sequence[Any], scores: Sequence[float]) -> float | None:
    """Return the share of the scores' variance that one setting explains by itself, in [0, 1].

    What as many groups would explain by chance is taken off, so a setting without influence gives about 0. What only
    two settings together explain is not counted.

    Args:
        values: The setting's value in each of the N trials: numbers, texts or truth values.
        scores: N numbers.

    Returns:
        None with fewer than `LEAST` trials, where all scores are equal, or each group has one trial.

    Source: Kelley 1935, epsilon squared; numbers are grouped by their quarters.
    """
    if len(scores) < LEAST:
        return None
    groups, number_of = np.unique(_groups(values), return_inverse=True)
    found = np.asarray(scores, np.float64)
    total = float(((found - found.mean()) ** 2).sum())
    if not total > 0 or len(groups) == len(found):
        return None
    means = np.bincount(number_of, weights=found) / np.bincount(number_of)
    within = float(((found - means[number_of]) ** 2).sum()) / (len(found) - len(groups))
    return min(1.0, max(0.0, 1 - within * (len(found) - 1) / total))


def _groups(values: Sequence[Any]) -> list[int]:
    """Return each value's group: its own where there are few values, else the quarter that it is in."""
    different: list[Any] = list(dict.fromkeys(values))
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in different)
    if not numbers or len(different) <= _GROUPS:
        return [different.index(value) for value in values]
    order = sorted(different)
    return [math.floor(_GROUPS * order.index(value) / len(order)) for value in values]
