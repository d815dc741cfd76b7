"""Pruners for zoo."""

from __future__ import annotations

import zoo


@zoo.hookimpl
def register(add: zoo.Add) -> None:
    """Register what this package offers."""
    add.pruner(
        "penguin_patience",
        "zoo_penguin.pruners:PenguinPatience",
        summary="End a trial that has not become better for some epochs.",
    )
