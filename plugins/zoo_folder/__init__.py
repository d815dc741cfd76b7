"""Your own images: a folder of classes as a dataset."""

from __future__ import annotations

import zoo


@zoo.hookimpl
def register(add: zoo.Add) -> None:
    """Register the dataset."""
    add.dataset(
        "folder",
        "zoo_folder.dataset:folder",
        summary="Your own images: root/train/CLASS/* and root/test/CLASS/*, or root/CLASS/* with a seeded split.",
    )
