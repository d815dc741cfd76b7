"""In which order an epoch visits the samples, and where its batches begin and end."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor


def sample_order(seed: int, epoch: int, count: int) -> Tensor:
    """Return a permutation of *count* samples, int64 (N,), on the CPU: a pure function of its arguments.

    Args:
        seed: The run's seed.
        epoch: Counted from 0.
        count: N.
    """
    return torch.randperm(count, generator=_generator(f"order/{seed}/{epoch}"))


def balanced_order(seed: int, epoch: int, labels: Tensor, balance: float) -> Tensor:
    """Return which samples an epoch visits where small classes are to be seen more often: a pure function.

    As many are visited as there are, each as often as its class's weight says, rounded up or down at random: a class's
    weight is its number of samples to the power of minus *balance*.

    Args:
        seed: The run's seed.
        epoch: Counted from 0.
        labels: int64 (N,).
        balance: From 0, where each sample is visited once, to 1, where each class is visited equally often.

    Returns:
        int64 (N,), on the CPU: i + k N for the sample i, which was visited k times before in this epoch. So each visit
        has a number of its own, and is augmented in its own way.
    """
    labels, generator = labels.cpu(), _generator(f"balance/{seed}/{epoch}")
    count = len(labels)
    shuffled = torch.randperm(count, generator=generator)
    weights = torch.bincount(labels).double().clamp(min=1).pow(-balance)[labels[shuffled]]
    ends = weights.cumsum(0) * (count / weights.sum())
    offset = torch.rand(1, dtype=torch.float64, generator=generator)
    # One mark at each whole number, all moved by one offset: a sample is visited once for each mark on its stretch.
    marks = torch.arange(count, dtype=torch.float64) + offset
    visited = torch.searchsorted(ends, marks, right=True).clamp(max=count - 1)  # ascending, so equals stand together
    first = torch.searchsorted(visited, visited)
    numbered = shuffled[visited] + count * (torch.arange(count) - first)
    return numbered[torch.randperm(count, generator=generator)]


def visits(seed: int, epoch: int, labels: Tensor, balance: float) -> Tensor:
    """Return an epoch's visits in their order, int64 (N,), on the CPU: by `sample_order`, or by `balanced_order`."""
    return balanced_order(seed, epoch, labels, balance) if balance else sample_order(seed, epoch, len(labels))


def _generator(key: str) -> torch.Generator:
    digest = hashlib.sha256(key.encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def batch_spans(count: int, batch_size: int) -> list[tuple[int, int]]:
    """Cut *count* samples into batches, as pairs (start, stop).

    A lone last sample joins the batch before it: batch norm cannot train on one sample, and none is left out.
    """
    starts = list(range(0, count, batch_size))
    if len(starts) > 1 and batch_size > 1 and count - starts[-1] == 1:
        starts.pop()
    return list(zip(starts, [*starts[1:], count], strict=True))


def evenly(start: int, stop: int, parts: int) -> list[tuple[int, int]]:
    """Cut the samples from *start* up to *stop* into slices, as pairs (start, stop), of nearly one size.

    There are *parts* of them, or as many as have two samples each: batch norm cannot train on one sample.
    """
    count = stop - start
    parts = max(1, min(parts, count // 2))
    edges = [start + count * part // parts for part in range(parts + 1)]
    return list(pairwise(edges))


def share_of(count: int, rank: int, size: int) -> range:
    """Return which of *count* slices the process *rank* of *size* computes: one stretch of them, or none."""
    return range(count * rank // size, count * (rank + 1) // size)


_CUT = 256


def cut(order: Tensor, spans: Sequence[tuple[int, int]]) -> Iterator[Tensor]:
    """Yield ``order[start:stop]`` for each of *spans*, which follow one another.

    Many are cut by one call: a slice of its own for each batch takes a tenth of the time that zoo adds to a step.
    """
    for first in range(0, len(spans), _CUT):
        some = spans[first : first + _CUT]
        yield from torch.split(order[some[0][0] : some[-1][1]], [stop - start for start, stop in some])
