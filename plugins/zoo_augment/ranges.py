"""Checks of the options that augmentations share."""

from __future__ import annotations

import math
from collections.abc import Sequence


def within(name: str, value: float, low: float, high: float) -> float:
    """Return *value* if it is from *low* to *high*.

    Raises:
        ValueError: If it is not; the message names the option and the range.
    """
    if not low <= value <= high:
        limit = f"from {low} to {high}" if math.isfinite(high) else f"at least {low}"
        raise ValueError(f"{name} must be {limit}, not {value!r}")
    return value


def above_zero(name: str, value: float) -> float:
    """Return *value* if it is above 0 and finite.

    Raises:
        ValueError: If it is not.
    """
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be above 0, not {value!r}")
    return value


def one_of(name: str, value: str, choices: Sequence[str]) -> str:
    """Return *value* if it is one of *choices*.

    Raises:
        ValueError: If it is not.
    """
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
    return value
