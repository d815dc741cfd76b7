"""Which pictures look alike though their bytes differ: by a perceptual hash, and a second look at what it finds."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

SEEN = 64
"""Pixels a side at which pictures are best given: of a photograph's grain and its encoder's traces little is left."""

_SIDE = 32  # pixels a side from which the hash is made
_SMALL = 16  # pixels a side of what is kept of each
_FREQUENCIES = 8  # of rows and of columns, whose signs are the hash
_BANDS = (13, 13, 13, 13, 12)  # bits: of two hashes that differ in four, one band at least is the same
_MOST_BITS = 4
_REACH = 64  # pictures with the same band, that come next, with which each is compared
_LIKE = 0.995  # correlation of two thumbnails of one picture; 25 pairs of MNIST's 70,000 digits reach it, all ones
_PLAIN = 4.0  # levels of 255 by which a thumbnail's pixels deviate at least, or there is nothing to compare
_AT_ONCE = 1 << 13


class Likenesses:
    """What N pictures look like, in 264 bytes each.

    Args:
        count: N.
    """

    def __init__(self, count: int) -> None:
        self._hashes = np.zeros(count, np.uint64)
        self._thumbnails = torch.zeros((count, _SMALL, _SMALL), dtype=torch.uint8)

    def put(self, indices: list[int], pictures: Tensor) -> None:
        """Keep what the pictures at *indices* look like, uint8 (B, C, H, W); threads may at once."""
        grey = pictures.float().mean(1, keepdim=True)
        if grey.shape[2:] != (_SIDE, _SIDE):
            grey = functional.interpolate(grey, (_SIDE, _SIDE), mode="bilinear", antialias=True)
        self._hashes[indices] = _hashes(grey[:, 0])
        self._thumbnails[indices] = functional.avg_pool2d(grey, _SIDE // _SMALL)[:, 0].round().to(torch.uint8)

    def pairs(self) -> list[tuple[int, int]]:
        """Return the pairs of pictures that look the same, each as (i, j) with i < j, in their order."""
        rows = self._thumbnails.flatten(1)
        shown = torch.cat([part.float().std(1) >= _PLAIN for part in torch.split(rows, _AT_ONCE)]).numpy()
        places = np.flatnonzero(shown)
        likely = torch.from_numpy(places[_likely(self._hashes[places])])
        kept = [
            part[_correlations(rows[part[:, 0]], rows[part[:, 1]]) >= _LIKE] for part in torch.split(likely, _AT_ONCE)
        ]
        return sorted((min(i, j), max(i, j)) for i, j in torch.cat(kept).tolist())


def _hashes(grey: Tensor) -> NDArray[np.uint64]:
    """Return 64 bits for each picture, float (B, 32, 32): which of its low frequencies are stronger than their median.

    Source: pHash, Zauner 2010.
    """
    cosines = torch.cos(math.pi / _SIDE * torch.outer(torch.arange(_FREQUENCIES), torch.arange(_SIDE) + 0.5))
    low = (cosines @ grey @ cosines.T).flatten(1)  # (B, 64)
    bits = low > low[:, 1:].median(1, keepdim=True).values  # but for the mean brightness, which says nothing
    return np.packbits(bits.numpy(), axis=1).view(np.uint64)[:, 0]


def _likely(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return pairs of places whose hashes differ in four bits at most, int64 (P, 2)."""
    found = [np.zeros((0, 2), np.int64)]
    shift = 0
    for width in _BANDS:
        band = (hashes >> np.uint64(shift)) & np.uint64((1 << width) - 1)
        shift += width
        order = np.lexsort((hashes, band))  # among equals by the whole, so that the likest stand together
        band, ordered = band[order], hashes[order]
        for step in range(1, min(_REACH, len(order) - 1) + 1):
            same = np.flatnonzero(band[step:] == band[:-step])
            if not len(same):
                break
            near = same[_ones(ordered[same] ^ ordered[same + step]) <= _MOST_BITS]
            found.append(np.sort(np.stack([order[near], order[near + step]], 1), axis=1))
    return np.unique(np.concatenate(found), axis=0)


def _ones(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return how many bits are set; NumPy counts them itself from its version 2 on."""
    bits = np.unpackbits(values.view(np.uint8).reshape(-1, 8), axis=1)
    counted: NDArray[np.int64] = bits.sum(1, dtype=np.int64)
    return counted


def _correlations(one: Tensor, other: Tensor) -> Tensor:
    """Return how alike rows are, uint8 (P, M), whatever their brightness and contrast, float32 (P,), at most 1."""
    a, b = (functional.normalize(part.float() - part.float().mean(1, keepdim=True)) for part in (one, other))
    return (a * b).sum(1)
