"""Optuna itself, which is an extra."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import zoo


def imported(needs: str) -> Any:
    """Return the module ``optuna``, which tells of warnings alone.

    Args:
        needs: What needs it, as the message of an error begins.

    Raises:
        UsageError: If it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise zoo.UsageError(f"{needs} Optuna: pip install 'torch-zoo[optuna]' ({error})") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def by_epoch(scores: Sequence[float]) -> dict[int, float]:
    """Return scores by epoch from 1 on, as Optuna keeps them, but for those before the first validation."""
    return {epoch: score for epoch, score in enumerate(scores, start=1) if math.isfinite(score)}
