"""Observers for zoo."""

from __future__ import annotations

import zoo


@zoo.hookimpl
def register(add: zoo.Add) -> None:
    """Register what this package offers."""
    add.observer(
        "penguin_csv",
        "zoo_penguin.observers:PenguinCsv",
        summary="Write a row an epoch to RUN/penguin.csv.",
    )
