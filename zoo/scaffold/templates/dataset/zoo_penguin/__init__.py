"""Datasets for zoo."""

from __future__ import annotations

import zoo


@zoo.hookimpl
def register(add: zoo.Add) -> None:
    """Register what this package offers."""
    add.dataset(
        "penguin_shapes",
        "zoo_penguin.datasets:penguin_shapes",
        summary="Discs, squares and crosses, drawn when they are built; no download.",
    )
