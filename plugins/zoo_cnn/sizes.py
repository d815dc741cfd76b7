"""The check that an image is large enough for a model."""

from __future__ import annotations

import zoo


def require_size(model: str, image_size: tuple[int, int], smallest: int) -> None:
    """Do nothing if images of *image_size*, (H, W) in pixels, are at least *smallest* high and wide.

    Raises:
        zoo.UsageError: Otherwise; it names the smallest size that *model* takes.
    """
    if min(image_size) < smallest:
        height, width = image_size
        raise zoo.UsageError(
            f"{model} takes images from {smallest} x {smallest} pixels up, not {height} x {width}; "
            "enlarge them, or take mlp/mlp, which takes any size"
        )
