"""Packs: whole image sets in one file, written by ``zoo pack``."""

from __future__ import annotations

import zoo


@zoo.hookimpl
def register(add: zoo.Add) -> None:
    """Register the dataset."""
    add.dataset(
        "packed",
        "zoo_packed.dataset:packed",
        summary="An image set in one file that 'zoo pack' wrote; several times as fast as files.",
    )
