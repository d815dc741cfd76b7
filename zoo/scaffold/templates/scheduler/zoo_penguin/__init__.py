"""Learning-rate schedulers for zoo."""

from __future__ import annotations

import zoo


@zoo.hookimpl
def register(add: zoo.Add) -> None:
    """Register what this package offers."""
    add.scheduler(
        "penguin_decay",
        "zoo_penguin.schedulers:penguin_decay",
        summary="A short linear rise, then a straight line down to zero.",
    )
