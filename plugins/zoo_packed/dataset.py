"""A pack as a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import zoo


def packed(
    *,
    root: str | None = None,
    size: int | list[int] | None = None,
    stream: bool | None = None,
    fit: Literal["stretch", "pad", "crop"] | None = None,
) -> zoo.Dataset:
    """Read a set of images from one file, which 'zoo pack' wrote; each image is checked as it is read.

    Args:
        root: The file.
        size: [H, W] to which images are resized, or one number for both; if left out, the model's own, or the one that
            they were packed for. Not for pixels, which 'zoo pack --raw' keeps: they have their size.
        stream: Whether images are read while training; if left out: only where they would take more than a quarter of
            the machine's memory.
        fit: How a picture of another aspect becomes one of that size, as for a folder; if left out, as it was packed.

    Returns:
        The dataset, with the splits, classes and names that were packed.

    Raises:
        UsageError: If *root* is not given or there is no such file.
        DamagedError: If it is no pack, or damaged.
    """
    if root is None:
        raise zoo.UsageError("which pack? --set data.root=FILE names it; 'zoo pack' writes one")
    return zoo.packed_dataset(Path(root).expanduser(), size=size, stream=stream, fit=fit)
