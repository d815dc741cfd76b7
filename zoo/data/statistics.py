"""The mean and the standard deviation of a split's pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.data.dataset import Split
from zoo.data.reading import read_batches
from zoo.data.splits import looked_up
from zoo.data.threads import reader_count

MOST = 4096
"""Images that are looked at, for a whole split may have millions: evenly spread over it, alike in every run."""

_BATCH = 64


def spread(count: int, most: int = MOST) -> Tensor:
    """Return at most *most* indices of *count* samples, int64, ascending, evenly spread; all where they are few."""
    return torch.linspace(0, count - 1, min(count, most), dtype=torch.float64).round().to(torch.int64)


def pixel_statistics(split: Split) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return each channel's mean and standard deviation, where white is 1; a constant channel's deviation is 1.

    Exact over at most `MOST` images, so that it does not hang on whether they are in memory.

    Raises:
        DamagedError: If an image cannot be read.
    """
    source, places = looked_up(split, spread(len(split)).to(split.labels.device))
    batches = read_batches(source, torch.split(places, _BATCH), reader_count())
    counts = torch.stack([_histogram(images) for images, _ in batches]).sum(0)
    share = counts / counts.sum(1, keepdim=True)  # (C, 256)
    values = torch.arange(256, dtype=torch.float64) / 255
    means = share @ values
    deviations = (share * (values - means.unsqueeze(1)).square()).sum(1).sqrt()
    return tuple(means.tolist()), tuple(deviation or 1.0 for deviation in deviations.tolist())


def _histogram(images: Tensor) -> Tensor:
    """Return how often each channel has each level, float64 (C, 256), on the CPU."""
    channels = images.transpose(0, 1).flatten(1)
    return torch.stack([torch.bincount(channel, minlength=256) for channel in channels]).double().cpu()
