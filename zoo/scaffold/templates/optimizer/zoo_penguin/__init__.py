"""Optimizers for zoo."""

from __future__ import annotations

import zoo


@zoo.hookimpl
def register(add: zoo.Add) -> None:
    """Register what this package offers."""
    add.optimizer(
        "penguin_sign",
        "zoo_penguin.optimizers:penguin_sign",
        summary="Steps by the sign of a momentum, one rate for all weights.",
    )
