"""TrivialAugment and RandAugment: a few changes to each picture, drawn from a list.

Many changes depend on what is black and what is white, so here inputs are turned back into pixels, and afterwards
normalised again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zoo_augment import operations
from zoo_augment.ranges import one_of, within
from zoo_augment.warping import FILLS

if TYPE_CHECKING:
    from zoo import Draws

BINS = 31
"""Strengths of an operation, from none to the strongest."""

Change = Callable[[Tensor, Tensor], Tensor]
"""Maps pixels (B, C, H, W) and strengths (B, 1, 1, 1) to pixels."""

SIGNED = ("shear_x", "shear_y", "translate_x", "translate_y", "rotate", "brightness", "colour", "contrast", "sharpness")
"""Operations whose strength is taken either way."""


_SHADES: Mapping[str, Change] = {
    "brightness": lambda pixels, strength: operations.brightness(pixels, 1 + strength),
    "colour": lambda pixels, strength: operations.colour(pixels, 1 + strength),
    "contrast": lambda pixels, strength: operations.contrast(pixels, 1 + strength),
    "sharpness": lambda pixels, strength: operations.sharpness(pixels, 1 + strength),
    "posterize": operations.posterize,
    "solarize": operations.solarize,
    "autocontrast": lambda pixels, _: operations.autocontrast(pixels),
    "equalize": lambda pixels, _: operations.equalize(pixels),
}


class Policy:
    """Apply operations to each picture, each drawn from all of them.

    Args:
        strengths: By the operation's name, its strength at each of the bins, from none on.
        count: Operations that are applied to a picture, one after the other.
        bin: Which strength; None draws it for each operation.
        mean: C numbers, by which inputs are normalised, where white is 1.
        std: C numbers.
        fill: What comes in from outside, where pictures are moved.
    """

    def __init__(
        self,
        strengths: Mapping[str, Sequence[float]],
        count: int,
        bin: int | None,
        mean: Sequence[float],
        std: Sequence[float],
        fill: str,
    ) -> None:
        self.count, self.bin = count, bin
        self.mean, self.std = (torch.tensor(values, dtype=torch.float32).view(-1, 1, 1) for values in (mean, std))
        self.fill = fill
        self.names = tuple(strengths)
        self.table = torch.tensor([list(row) for row in strengths.values()], dtype=torch.float32)
        self.signed = torch.tensor([name in SIGNED for name in self.names])

    def __call__(self, inputs: Tensor, targets: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Map inputs (B, C, H, W) to inputs of the same shape; targets stay."""
        self._move_to(inputs.device)
        pixels = inputs.float() * self.std + self.mean
        for _ in range(self.count):
            which = draws.integers(len(self.names))  # (B,)
            drawn, sign = draws.integers(BINS), draws.integers(2) * 2 - 1
            chosen_bin = drawn if self.bin is None else torch.full_like(drawn, self.bin)
            strength = self.table[which, chosen_bin]
            strength = torch.where(self.signed[which], strength * sign, strength).view(-1, 1, 1, 1)
            for number, name in enumerate(self.names):
                if name != "identity":
                    pixels = _changed(pixels, which == number, strength, self._change(name))
        return ((pixels - self.mean) / self.std).to(inputs.dtype), targets

    def _move_to(self, device: torch.device) -> None:
        """Keep the tables where the batches are: a copy in each step would have the device waited for."""
        if self.table.device != device:
            for name in ("mean", "std", "table", "signed"):
                setattr(self, name, getattr(self, name).to(device))

    def _change(self, name: str) -> Change:
        return _SHADES.get(name) or partial(self._moved, name)

    def _moved(self, name: str, pixels: Tensor, strength: Tensor) -> Tensor:
        return operations.moved(pixels - self.mean, self.fill, **{name: strength}) + self.mean


def _changed(pixels: Tensor, chosen: Tensor, strength: Tensor, change: Change) -> Tensor:
    """Return pixels, (B, C, H, W), those that are *chosen*, bool (B,), changed.

    On a CPU the others are not computed. Elsewhere they are: which ones are chosen is not known here without a wait.
    """
    if not _skips(pixels):
        return torch.where(chosen.view(-1, 1, 1, 1), change(pixels, strength), pixels)
    rows = chosen.nonzero()[:, 0]
    if not len(rows):
        return pixels
    return pixels.index_copy(0, rows, change(pixels[rows], strength[rows]))


def _skips(pixels: Tensor) -> bool:
    return pixels.device.type == "cpu"


def trivial(
    *,
    image_size: tuple[int, int],
    pixel_mean: Sequence[float],
    pixel_std: Sequence[float],
    fill: str = "mean",
) -> Policy:
    """Build an augmentation that changes each picture in one way of fourteen, by a strength from none to very strong.

    Args:
        image_size: (H, W).
        pixel_mean: C numbers, by which inputs are normalised.
        pixel_std: C numbers.
        fill: What comes in from outside, as for ``shift``.

    Raises:
        ValueError: If an option is out of range.

    Source: Müller and Hutter 2021, "TrivialAugment", the wide strengths. Here moves are bilinear, shears are about the
        centre, and the longest move is a seventh of the picture's side, which it is at 224 pixels there.
    """
    one_of("fill", fill, FILLS)
    return Policy(_strengths(image_size, 0.99, 1 / 7, 135.0, 0.99, 6), 1, None, pixel_mean, pixel_std, fill)


def rand(
    *,
    image_size: tuple[int, int],
    pixel_mean: Sequence[float],
    pixel_std: Sequence[float],
    operations: int = 2,
    strength: int = 9,
    fill: str = "mean",
) -> Policy:
    """Build an augmentation that changes each picture in several ways of fourteen, all by the same strength.

    Args:
        image_size: (H, W).
        pixel_mean: C numbers, by which inputs are normalised.
        pixel_std: C numbers.
        operations: Changes to each picture, one after the other, from 1 to 14.
        strength: From 0, none, to 30, the strongest.
        fill: What comes in from outside, as for ``shift``.

    Raises:
        ValueError: If an option is out of range.

    Source: Cubuk et al. 2019, "RandAugment". Here moves are bilinear, and shears are about the centre.
    """
    count, chosen = int(within("operations", operations, 1, 14)), int(within("strength", strength, 0, BINS - 1))
    one_of("fill", fill, FILLS)
    return Policy(_strengths(image_size, 0.3, 150 / 331, 30.0, 0.9, 4), count, chosen, pixel_mean, pixel_std, fill)


def _strengths(
    image_size: tuple[int, int], shear: float, move: float, degrees: float, shade: float, bits: int
) -> dict[str, list[float]]:
    """Return each operation's strength at each bin: *bits* are those that posterize takes at most, of eight."""
    height, width = image_size
    shares = [number / (BINS - 1) for number in range(BINS)]

    def upto(most: float) -> list[float]:
        return [most * share for share in shares]

    return {
        "identity": upto(0.0),
        "shear_x": upto(shear),
        "shear_y": upto(shear),
        "translate_x": upto(move * width),
        "translate_y": upto(move * height),
        "rotate": upto(math.radians(degrees)),
        "brightness": upto(shade),
        "colour": upto(shade),
        "contrast": upto(shade),
        "sharpness": upto(shade),
        "posterize": [8.0 - round(bits * share) for share in shares],
        "solarize": [256 / 255 * (1 - share) for share in shares],  # at first above white: none is inverted
        "autocontrast": upto(0.0),
        "equalize": upto(0.0),
    }
