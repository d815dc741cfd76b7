"""Parts of a split: the validation images that are held out, and a cap on how many are used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from zoo.data.dataset import Split
from zoo.errors import UsageError

DEFAULT_VALIDATION = 5000


class Subset:
    """Some images of a split, in a given order.

    Args:
        split: Where the images are.
        indices: Which of them, int64 (N,).
    """

    def __init__(self, split: Split, indices: Tensor) -> None:
        # A subset of a subset is one of the whole: a batch costs one look-up, however often a part was taken.
        self.split: Split = split.split if isinstance(split, Subset) else split
        self.indices: Tensor = split.indices.index_select(0, indices) if isinstance(split, Subset) else indices
        self._labels = self.split.labels.index_select(0, self.indices)

    @property
    def labels(self) -> Tensor:
        """All labels, int64 (N,)."""
        return self._labels

    @property
    def names(self) -> Sequence[str] | None:
        """Each sample's own name, or None where the split has no names."""
        return self._chosen("names")

    @property
    def sizes(self) -> Sequence[int] | None:
        """The bytes of each sample's file, or None where the split does not tell."""
        return self._chosen("sizes")

    def _chosen(self, attribute: str) -> list[Any] | None:
        values = getattr(self.split, attribute, None)
        return None if values is None else [values[index] for index in self.indices.tolist()]

    def __len__(self) -> int:
        return len(self.indices)

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images, uint8 (B, C, H, W), and labels, int64 (B,), at *indices*, int64 (B,)."""
        split, places = looked_up(self, indices)
        return split.batch(places)


def looked_up(split: Split, indices: Tensor) -> tuple[Split, Tensor]:
    """Return the split that has the images of *split*, and where in it those at *indices*, int64 (B,), are."""
    return (split.split, split.indices.index_select(0, indices)) if isinstance(split, Subset) else (split, indices)


def validation_count(total: int, requested: float | None) -> int:
    """Return how many of *total* training images are held out.

    Args:
        total: Training images there are.
        requested: A whole number, a fraction below 1, or None: 5000 where that is at most a tenth, else a tenth.

    Raises:
        UsageError: If no image would be left to train on.
    """
    if requested is None:
        requested = DEFAULT_VALIDATION if total >= 10 * DEFAULT_VALIDATION else 0.1
    count = int(requested) if requested >= 1 else max(1, round(total * requested)) if requested else 0
    if count >= total:
        raise UsageError(
            f"--validation {requested} holds out {count} of {total} training images and leaves none to train on"
        )
    return count


def hold_out(labels: Tensor, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Choose *count* samples at random, each class in proportion to its share.

    Args:
        labels: int64 (N,).
        count: From 0 to below N.
        seed: The choice is a pure function of the labels, the count and the seed.

    Returns:
        The indices that stay and those held out, both int64, ascending.
    """
    shuffled = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    by_class = shuffled[torch.sort(labels.cpu()[shuffled], stable=True).indices]
    # Walking by_class at even steps takes from each class its share, rounded, and exactly count in all.
    held = torch.zeros(len(labels), dtype=torch.bool)
    steps = (torch.arange(count, dtype=torch.float64) + 0.5) * (len(labels) / max(count, 1))
    held[by_class[steps.long()]] = True
    return (~held).nonzero().squeeze(1), held.nonzero().squeeze(1)


def capped(split: Split, limit: int | None, seed: int) -> Split:
    """Return at most *limit* images of *split*, each class in proportion; all of them for None."""
    if limit is None or limit >= len(split):
        return split
    _, chosen = hold_out(split.labels, limit, seed)
    return Subset(split, chosen.to(split.labels.device))
