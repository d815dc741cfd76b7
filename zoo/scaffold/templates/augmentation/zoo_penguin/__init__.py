"""Augmentations for zoo."""

from __future__ import annotations

import zoo


@zoo.hookimpl
def register(add: zoo.Add) -> None:
    """Register what this package offers."""
    add.augmentation(
        "penguin_noise",
        "zoo_penguin.augmentations:penguin_noise",
        summary="Add Gaussian noise, as dim light does.",
    )
