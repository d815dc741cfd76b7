"""Whether images hold a picture at all: a set that comes out all black trains, and learns nothing."""

from __future__ import annotations

import torch

from zoo.data.dataset import Split

_LOOKED_AT = 16  # images, spread over the split and so over its classes
_SPREAD = 2  # levels of 255 between the darkest and the brightest pixel that are still one colour


def one_colour(split: Split) -> str | None:
    """Return what to tell of a split whose images are all the same colour and nothing else, or None.

    A few images are looked at, from its beginning to its end: another picture among them is enough.
    """
    count = min(_LOOKED_AT, len(split))
    indices = torch.linspace(0, len(split) - 1, count).round().long().to(split.labels.device)
    images, _ = split.batch(indices)  # uint8 (N, C, H, W)
    darkest, brightest = images.amin((0, 2, 3)).int(), images.amax((0, 2, 3)).int()
    if int((brightest - darkest).max()) > _SPREAD:
        return None
    return (
        f"{count:,} training images from all over the set are {_name(darkest.tolist(), brightest.tolist())} and "
        "nothing else, so there is nothing to learn. White is 65,535 where files have 16 bits: scale their values "
        "up if they end far below."
    )


def _name(darkest: list[int], brightest: list[int]) -> str:
    if max(brightest) <= _SPREAD:
        return "all black"
    if min(darkest) >= 255 - _SPREAD:
        return "all white"
    return f"one colour, {', '.join(map(str, brightest))} of 255,"
