"""Parts of a split: some images of it, and a cap on how many are used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from zoo.data.dataset import Split, weights_of
from zoo.data.holding_out import cap
from zoo.data.lazy import taken


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

    @property
    def weights(self) -> Tensor | None:
        """How often each sample is to be seen, float64 (N,), or None for alike."""
        weights = weights_of(self.split)
        return None if weights is None else weights.to(self.indices.device)[self.indices]

    @property
    def partners(self) -> str:
        """Which samples mixing takes, as for `TensorImages`."""
        return getattr(self.split, "partners", "any")

    def _chosen(self, attribute: str) -> Sequence[Any] | None:
        values = getattr(self.split, attribute, None)
        if values is None:
            return None
        return taken(values, self.indices.cpu().numpy())

    def __len__(self) -> int:
        return len(self.indices)

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images, uint8 (B, C, H, W), and labels, int64 (B,), at *indices*, int64 (B,)."""
        split, places = looked_up(self, indices)
        return split.batch(places)


def looked_up(split: Split, indices: Tensor) -> tuple[Split, Tensor]:
    """Return the split that has the images of *split*, and where in it those at *indices*, int64 (B,), are."""
    return (split.split, split.indices.index_select(0, indices)) if isinstance(split, Subset) else (split, indices)


def places_of(split: Split) -> Tensor:
    """Return where each image is in the split of the dataset, int64 (N,), on the CPU."""
    return looked_up(split, torch.arange(len(split), device=split.labels.device))[1].cpu()


def capped(split: Split, limit: int | None, seed: int, rule: str = "class") -> Split:
    """Return at most *limit* images of *split*, chosen by *rule*, as `hold_out` knows them; all of them for None."""
    if limit is None or limit >= len(split):
        return split
    return Subset(split, cap(split, limit, seed, rule).to(split.labels.device))
