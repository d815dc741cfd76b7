"""Mirroring."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zoo_augment.ranges import within

if TYPE_CHECKING:
    from zoo import Draws


class Flip:
    """Mirror some images left and right.

    Args:
        probability: Of an image to be mirrored.
    """

    def __init__(self, probability: float) -> None:
        self.probability = probability

    def __call__(self, inputs: Tensor, targets: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Map inputs (B, C, H, W) to inputs of the same shape; targets stay."""
        mirrored = (draws.uniform() < self.probability).view(-1, 1, 1, 1)
        return torch.where(mirrored, inputs.flip(3), inputs), targets

    def views(self, inputs: Tensor) -> list[Tensor]:
        """Return inputs (B, C, H, W) as they are and mirrored."""
        return [inputs, inputs.flip(3)]


def flip(*, probability: float = 0.5) -> Flip:
    """Build an augmentation that mirrors left and right.

    Args:
        probability: Of an image to be mirrored, in [0, 1].

    Raises:
        ValueError: If *probability* is out of range.
    """
    return Flip(within("probability", probability, 0, 1))
