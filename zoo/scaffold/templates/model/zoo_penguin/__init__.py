"""Models for zoo."""

from __future__ import annotations

import zoo


@zoo.hookimpl
def register(add: zoo.Add) -> None:
    """Register what this package offers."""
    add.model(
        "penguin_net",
        "zoo_penguin.nets:penguin_net",
        summary="A two-block CNN with batch norm and dropout, for small images.",
    )
