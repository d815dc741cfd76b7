"""Images that are in two splits at once: what is tested on them was learnt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from zoo.data.dataset import Split, TensorImages
from zoo.data.splits import looked_up, places_of

EXAMPLES = 16
"""Pairs that are told."""

_WORD = 8  # bytes that are hashed at once
_AT_ONCE = 2**20  # bytes of images that are looked at together: as many as stay in a cache, with their products


@dataclass(frozen=True)
class Duplicates:
    """The images of one split that are also in another, equal in every pixel.

    Attributes:
        count: How many there are of the first split.
        pairs: The places of some of them and of their likes, each in its dataset's split.
    """

    count: int
    pairs: tuple[tuple[int, int], ...]


def duplicates(splits: Mapping[str, Split], other: Split) -> dict[str, Duplicates | None]:
    """Return by name the images of *splits* that are also in *other*; None where they, or those, are not in memory.

    Args:
        splits: M images each.
        other: N images of the same shape.
    """
    found: dict[str, Duplicates | None] = dict.fromkeys(splits)
    looked_at = {name: split for name, split in splits.items() if _in_memory(split)} if _in_memory(other) else {}
    if looked_at:
        ranked, order = _fingerprints(other).sort()
        found |= {name: _found(split, other, ranked, order) for name, split in looked_at.items()}
    return found


def _found(split: Split, other: Split, ranked: Tensor, order: Tensor) -> Duplicates:
    """Return the images of *split* that are also in *other*, whose fingerprints are *ranked*, and were in *order*."""
    ours = _fingerprints(split)
    found = torch.searchsorted(ranked, ours).clamp_(max=len(ranked) - 1)
    rows = (ranked[found] == ours).nonzero().squeeze(1)
    likes = order[found[rows]]
    same = _pixels(split, rows).eq(_pixels(other, likes)).flatten(1).all(1).cpu()
    rows, likes = rows[same], likes[same]
    places = places_of(split)[rows[:EXAMPLES]].tolist(), places_of(other)[likes[:EXAMPLES]].tolist()
    return Duplicates(len(rows), tuple(zip(*places, strict=True)))


def _in_memory(split: Split) -> bool:
    return isinstance(looked_up(split, torch.zeros(0, dtype=torch.int64, device=split.labels.device))[0], TensorImages)


def _pixels(split: Split, indices: Tensor) -> Tensor:
    return split.batch(indices.to(split.labels.device))[0]


def _fingerprints(split: Split) -> Tensor:
    """Return a number for each image, int64 (N,) on the CPU, the same for equal ones and hardly ever for others."""
    found, places = looked_up(split, torch.arange(len(split), device=split.labels.device))
    source = cast(TensorImages, found)
    if 2 * len(places) < len(source):
        return _hashed(source.images.index_select(0, some) for some in torch.split(places, _count(source)))
    # To gather most images one by one takes longer than to look at all where they lie.
    return _hashed(torch.split(source.images, _count(source)))[places.cpu()]


def _count(source: TensorImages) -> int:
    """Return how many images are looked at together."""
    return max(1, _AT_ONCE // max(1, source.images[:1].numel()))


def _hashed(parts: Iterable[Tensor]) -> Tensor:
    """Return the numbers of images that come in *parts*, (B, C, H, W) each."""
    generator, odd, found = torch.Generator().manual_seed(0), None, []
    for images in parts:
        rows = images.flatten(1)
        if missing := -rows.shape[1] % _WORD:
            rows = torch.nn.functional.pad(rows, (0, missing))
        rows = rows.contiguous().view(torch.int64)
        if odd is None:
            odd = 2 * torch.randint(-(2**62), 2**62, (rows.shape[1],), generator=generator).to(rows.device) + 1
        found.append((rows * odd).sum(1).cpu())  # it wraps around, as hashes do
    return torch.cat(found)
