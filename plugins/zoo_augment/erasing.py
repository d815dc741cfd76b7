"""Blanking out rectangles."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zoo_augment.boxes import box_mask
from zoo_augment.ranges import one_of, within

if TYPE_CHECKING:
    from zoo import Draws

FILLS = ("shade", "mean", "noise")


class Erasing:
    """Replace a rectangle, of random area, shape and place, that lies wholly in the image.

    Args:
        probability: Of an image to be changed.
        smallest: Least share of the image's area.
        largest: Greatest share of the image's area.
        aspect: Height to width is from 1/aspect to aspect.
        fill: ``"shade"``, ``"mean"`` or ``"noise"``.
    """

    def __init__(self, probability: float, smallest: float, largest: float, aspect: float, fill: str) -> None:
        self.probability = probability
        self.smallest, self.largest = smallest, largest
        self.log_aspect = math.log(aspect)
        self.fill = fill

    def __call__(self, inputs: Tensor, targets: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Map inputs (B, C, H, W) to inputs of the same shape; targets stay."""
        chosen, area, aspect, down, right = draws.uniform(5).unbind(1)
        area = area * (self.largest - self.smallest) + self.smallest
        root = torch.exp((aspect - 0.5) * self.log_aspect)  # the square root of height to width
        side = area.sqrt()
        height, width = inputs.shape[2:]
        mask = box_mask((height, width), (side * root, side / root), (down, right))
        mask = mask & (chosen < self.probability).view(-1, 1, 1, 1)
        return torch.where(mask, self._filling(inputs, draws), inputs), targets

    def _filling(self, inputs: Tensor, draws: Draws) -> Tensor:
        """Return what rectangles are filled with: broadcastable to (B, C, H, W)."""
        if self.fill == "mean":
            return inputs.new_zeros(())
        shape = inputs.shape[1:] if self.fill == "noise" else (inputs.shape[1], 1, 1)
        return draws.normal(*shape).to(inputs.dtype)


def erasing(
    *,
    probability: float = 0.5,
    smallest: float = 0.02,
    largest: float = 0.33,
    aspect: float = 3.0,
    fill: str = "shade",
) -> Erasing:
    """Build an augmentation that blanks out a rectangle.

    Args:
        probability: Of an image to be changed, in [0, 1].
        smallest: Least share of the image's area, in [0, 1].
        largest: Greatest share of the image's area, in [smallest, 1].
        aspect: Height to width is from 1/aspect to aspect; in [1, 10]. Sides are cut at the image's.
        fill: ``"shade"``, one random value for each image and channel; ``"mean"``, the data's mean; or ``"noise"``,
            a random value for each pixel, which takes 30 times as long to draw. Random values are standard normal.

    Raises:
        ValueError: If an option is out of range.

    Source: Zhong et al. 2017, "Random Erasing Data Augmentation". Rectangles that would not fit are cut to fit in
        place of being drawn again, and the fill is one shade by default.
    """
    within("probability", probability, 0, 1)
    within("smallest", smallest, 0, 1)
    within("largest", largest, smallest, 1)
    within("aspect", aspect, 1, 10)
    return Erasing(probability, smallest, largest, aspect, one_of("fill", fill, FILLS))
