"""Searchers for zoo."""

from __future__ import annotations

import zoo


@zoo.hookimpl
def register(add: zoo.Add) -> None:
    """Register what this package offers."""
    add.searcher(
        "penguin_steps",
        "zoo_penguin.searchers:PenguinSteps",
        summary="Go through each range in golden steps, which never come twice to one place.",
    )
