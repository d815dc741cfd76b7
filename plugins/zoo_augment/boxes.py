"""Rectangles of whole pixels."""

from __future__ import annotations

import torch
from torch import Tensor


def box_mask(size: tuple[int, int], sides: tuple[Tensor, Tensor], places: tuple[Tensor, Tensor]) -> Tensor:
    """Return one rectangle for each sample, inside the image: bool (B, 1, H, W), true in the rectangle.

    Args:
        size: (H, W).
        sides: Height and width as shares of the image's, float (B,), at least 0; rounded to whole pixels, at most
            the image's.
        places: Where it lies, down and across, in [0, 1): every place that fits is as likely as another.
    """
    rows, columns = (_interval(length, side, place) for length, side, place in zip(size, sides, places, strict=True))
    return (rows.unsqueeze(2) & columns.unsqueeze(1)).unsqueeze(1)


def _interval(length: int, side: Tensor, place: Tensor) -> Tensor:
    """Return a run of ones in *length*, bool (B, length)."""
    count = (side * length).round().clamp(max=length)
    start = (place * (length - count + 1)).floor().unsqueeze(1)
    position = torch.arange(length, device=side.device)
    return (position >= start) & (position < start + count.unsqueeze(1))
