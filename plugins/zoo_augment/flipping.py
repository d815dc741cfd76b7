"""Mirroring."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zoo_augment.ranges import within

if TYPE_CHECKING:
    from zoo import Draws


_LARGE = 2**14
"""Numbers of an image from which on each is mirrored by itself on a CPU, where reading memory is what takes time."""


class Flip:
    """Mirror some images left and right.

    Args:
        probability: Of an image to be mirrored.
    """

    def __init__(self, probability: float) -> None:
        self.probability = probability

    def __call__(self, inputs: Tensor, targets: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Map inputs (B, C, H, W) to inputs of the same shape; targets stay."""
        mirrored = draws.uniform() < self.probability
        if inputs.device.type == "cpu" and inputs[:1].numel() >= _LARGE:
            return _one_by_one(inputs, mirrored), targets
        return torch.where(mirrored.view(-1, 1, 1, 1), inputs.flip(3), inputs), targets

    def views(self, inputs: Tensor) -> list[Tensor]:
        """Return inputs (B, C, H, W) as they are and mirrored."""
        return [inputs, inputs.flip(3)]


def _one_by_one(inputs: Tensor, mirrored: Tensor) -> Tensor:
    """Return a batch, (B, C, H, W), with those images mirrored for which *mirrored*, (B,), is true."""
    changed = torch.empty_like(inputs)
    for given, found, turned in zip(inputs, changed, mirrored.tolist(), strict=True):
        found.copy_(given.flip(2) if turned else given)
    return changed


def flip(*, probability: float = 0.5) -> Flip:
    """Build an augmentation that mirrors left and right.

    Args:
        probability: Of an image to be mirrored, in [0, 1].

    Raises:
        ValueError: If *probability* is out of range.
    """
    return Flip(within("probability", probability, 0, 1))
