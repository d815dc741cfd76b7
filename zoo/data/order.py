"""In which order an epoch visits the samples, and where its batches begin and end."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor


def sample_order(seed: int, epoch: int, count: int) -> Tensor:
    """Return a permutation of *count* samples, int64 (N,), on the CPU: a pure function of its arguments.

    Args:
        seed: The run's seed.
        epoch: Counted from 0.
        count: N.
    """
    digest = hashlib.sha256(f"order/{seed}/{epoch}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
    return torch.randperm(count, generator=generator)


def batch_spans(count: int, batch_size: int) -> list[tuple[int, int]]:
    """Cut *count* samples into batches, as pairs (start, stop).

    A lone last sample joins the batch before it: batch norm cannot train on one sample, and none is left out.
    """
    starts = list(range(0, count, batch_size))
    if len(starts) > 1 and batch_size > 1 and count - starts[-1] == 1:
        starts.pop()
    return list(zip(starts, [*starts[1:], count], strict=True))


_CUT = 256


def cut(order: Tensor, spans: Sequence[tuple[int, int]]) -> Iterator[Tensor]:
    """Yield ``order[start:stop]`` for each of *spans*, which follow one another.

    Many are cut by one call: a slice of its own for each batch takes a tenth of the time that zoo adds to a step.
    """
    for first in range(0, len(spans), _CUT):
        some = spans[first : first + _CUT]
        yield from torch.split(order[some[0][0] : some[-1][1]], [stop - start for start, stop in some])
