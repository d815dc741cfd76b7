"""Which parts of pictures are read, where a run's first augmentation does nothing but take parts."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from zoo.data.augmentation import Augmentation, Draws, key_of, name_of
from zoo.errors import PluginError

_ROUNDING = 1e-6


class Cutting:
    """The parts of pictures that a run's first augmentation takes, so that they can be cut as pictures are read.

    Args:
        augmentation: One that `takes_parts`.
        seed: The run's seed.
        size: (H, W) of the inputs.
    """

    def __init__(self, augmentation: Augmentation, seed: int, size: tuple[int, int]) -> None:
        self._augmentation: Any = augmentation
        self._seed = seed
        self._size = size

    def __call__(self, epoch: int, indices: Tensor) -> Tensor:
        """Return the part of each sample, float64 (B, 4), on the CPU: a pure function of seed, epoch and index.

        Raises:
            PluginError: If they are none.
        """
        boxes = self._augmentation.boxes(Draws(key_of(self._seed, epoch, 0), indices, "cpu", _no_partners), self._size)
        return checked_boxes(self._augmentation, boxes, len(indices))


def takes_parts(augmentation: Augmentation) -> bool:
    """Return whether an augmentation enlarges parts of images and does nothing else."""
    return hasattr(augmentation, "boxes")


def checked_boxes(augmentation: Augmentation, boxes: Tensor, count: int) -> Tensor:
    """Return parts of *count* samples as float64 (B, 4), rounding errors at the edges cut off.

    Raises:
        PluginError: If they are none.
    """
    seen = boxes.double().cpu()
    begins, lengths = seen[..., :2], seen[..., 2:]
    inside = (begins > -_ROUNDING) & (begins < 1) & (lengths > 0) & (begins + lengths < 1 + _ROUNDING)
    if seen.shape != (count, 4) or not bool(inside.all()):
        raise PluginError(
            f"augmentation {name_of(augmentation)} must give boxes ({count}, 4), each top, left, height and width as "
            f"shares of the image within it, not {tuple(seen.shape)} from {seen.min():g} to {seen.max():g}"
        )
    begins = begins.clamp(min=0)
    return torch.cat([begins, torch.minimum(lengths, 1 - begins)], dim=1)


def _no_partners(_: Tensor) -> tuple[Tensor, Tensor]:
    raise PluginError("an augmentation whose parts are cut as pictures are read has no partners")
