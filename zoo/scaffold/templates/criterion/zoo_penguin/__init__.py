"""Criteria for zoo."""

from __future__ import annotations

import zoo


@zoo.hookimpl
def register(add: zoo.Add) -> None:
    """Register what this package offers."""
    add.criterion(
        "penguin_loss",
        "zoo_penguin.criteria:penguin_loss",
        summary="Cross-entropy plus the squared distance to the one-hot label.",
    )
