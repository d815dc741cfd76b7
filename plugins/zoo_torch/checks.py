"""Checks of the values that a user gives as options."""

from __future__ import annotations

from collections.abc import Sequence


def check_at_least(low: float, **values: float) -> None:
    """Raise a ValueError that names the first of *values* that is below *low* or not finite."""
    for name, value in values.items():
        if not low <= value < float("inf"):
            raise ValueError(f"{name} must be at least {low:g} and finite, not {value!r}")


def check_above(low: float, **values: float) -> None:
    """Raise a ValueError that names the first of *values* that is not above *low*, or not finite."""
    for name, value in values.items():
        if not low < value < float("inf"):
            raise ValueError(f"{name} must be above {low:g} and finite, not {value!r}")


def check_fraction(**values: float) -> None:
    """Raise a ValueError that names the first of *values* that is outside [0, 1)."""
    for name, value in values.items():
        if not 0 <= value < 1:
            raise ValueError(f"{name} must be in [0, 1), not {value!r}")


def check_betas(betas: Sequence[float]) -> tuple[float, float]:
    """Return *betas* as a pair.

    Raises:
        ValueError: If they are not two numbers in [0, 1).
    """
    if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
        raise ValueError(f"betas must be two numbers in [0, 1), not {list(betas)!r}")
    return betas[0], betas[1]
