"""Images in tar archives, as webdataset keeps them."""

from __future__ import annotations

import zoo


@zoo.hookimpl
def register(add: zoo.Add) -> None:
    """Register the dataset."""
    add.dataset(
        "tar",
        "zoo_tar.dataset:tar",
        summary="Webdataset shards: a folder of .tar files whose members KEY.jpg and KEY.cls belong together.",
    )
