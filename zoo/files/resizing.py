"""Resizing batches of images, the one way that zoo does it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def resized(images: Tensor, size: tuple[int, int], interpolation: str, *, antialias: bool = True) -> Tensor:
    """Resize images, pixels having area: the corners of the first and the last pixel stay where they are.

    Args:
        images: (N, C, H, W), floating or uint8, in either memory format.
        size: (H', W').
        interpolation: ``"nearest"``, ``"bilinear"`` or ``"bicubic"``.
        antialias: Whether each new pixel is a mean over all of the old ones that it covers; nearest has none.

    Returns:
        (N, C, H', W').
    """
    if size[1] == 1 and size[0] > 1:
        # torch (2.14) gives every row of a result of one column the weights of the first where it antialiases, and
        # reads uint8 beside the images where the stride of a side of one pixel is not the usual one: hence the copy.
        lying = images.mT.clone(memory_format=torch.contiguous_format)
        return resized(lying, (1, size[0]), interpolation, antialias=antialias).mT
    if interpolation == "nearest":
        return functional.interpolate(images, size, mode="nearest-exact")
    given: Any = images  # torch's annotation has it that uint8 is not resized
    return functional.interpolate(given, size, mode=interpolation, align_corners=False, antialias=antialias)
