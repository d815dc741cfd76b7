"""Enlarging a part of an image to the whole."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zoo_augment.ranges import within
from zoo_augment.warping import positions, resample

if TYPE_CHECKING:
    from zoo import Draws


class Crop:
    """Stretch a rectangle, of random area, shape and place, that lies wholly in the image, to the image's size.

    Args:
        smallest: Least share of the image's area.
        largest: Greatest share of the image's area.
        aspect: Height to width, in pixels, is from 1/aspect to aspect.
    """

    def __init__(self, smallest: float, largest: float, aspect: float) -> None:
        self.smallest, self.largest = smallest, largest
        self.log_aspect = math.log(aspect)

    def __call__(self, inputs: Tensor, targets: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Map inputs (B, C, H, W) to inputs of the same shape; targets stay."""
        height, width = inputs.shape[2:]
        tall, wide, down, right = self._drawn(draws, (height, width))
        rows, columns = positions(inputs)
        y = _stretched(rows, height, tall, down)
        x = _stretched(columns, width, wide, right)
        return resample(inputs, y, x, "edge", mode="bilinear"), targets

    def boxes(self, draws: Draws, size: tuple[int, int]) -> Tensor:
        """Return the rectangles: top, left, height and width as shares of inputs of *size*, (H, W), float32 (B, 4)."""
        tall, wide, down, right = self._drawn(draws, size)
        rows, columns = (tall / size[0]).clamp(max=1), (wide / size[1]).clamp(max=1)
        return torch.stack([down * (1 - rows), right * (1 - columns), rows, columns], dim=1).flatten(1)

    def _drawn(self, draws: Draws, size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return height and width in pixels, perhaps beyond the image's, and the place down and across, (B, 1, 1)."""
        share, aspect, down, right = draws.uniform(4, 1, 1).unbind(1)
        side = ((share * (self.largest - self.smallest) + self.smallest) * (size[0] * size[1])).sqrt()
        root = torch.exp((aspect - 0.5) * self.log_aspect)  # the square root of height to width
        return side * root, side / root, down, right


def _stretched(position: Tensor, length: int, side: Tensor, place: Tensor) -> Tensor:
    """Return where each pixel along one axis comes from, counted from the image's centre.

    Args:
        position: The pixels, counted from the image's centre, (1, H, 1) or (1, 1, W).
        length: H or W.
        side: The rectangle's, in pixels, (B, 1, 1); at most *length* is used.
        place: Where it lies, in [0, 1), (B, 1, 1).
    """
    side = side.clamp(max=length)
    return (place - 0.5) * (length - side) + position * (side / length)


def crop(*, smallest: float = 0.08, largest: float = 1.0, aspect: float = 4 / 3) -> Crop:
    """Build an augmentation that enlarges a random part of an image to the whole.

    Args:
        smallest: Least share of the image's area, in [0.01, 1]; larger is milder.
        largest: Greatest share of the image's area, in [smallest, 1].
        aspect: Height to width of the part, in pixels, is from 1/aspect to aspect, evenly on a logarithmic scale; in
            [1, 10]. Sides are cut at the image's.

    Raises:
        ValueError: If an option is out of range.

    Source: Szegedy et al. 2014, "Going Deeper with Convolutions". Here sides that would not fit are cut in place of
        being drawn again, and shares and aspect are those of the input. From a picture in a file, the part is whole
        pixels, resized once. From an input (``--crop-from input``) its sides are not rounded, pixels beside the part
        are blended in at its edge, and it is only ever enlarged, so bilinear resampling skips no pixel.
    """
    within("smallest", smallest, 0.01, 1)
    within("largest", largest, smallest, 1)
    return Crop(smallest, largest, within("aspect", aspect, 1, 10))
