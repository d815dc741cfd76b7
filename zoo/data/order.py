"""In which order an epoch visits the samples, and where its batches begin and end."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor

from zoo.data.keyed_order import KeyedOrder
from zoo.errors import UsageError

KEYED_FROM = 2**26
"""So many samples, whose table takes half a gigabyte, are visited in an order without one."""


def sample_order(seed: int, epoch: int, count: int) -> Tensor:
    """Return a permutation of *count* samples, int64 (N,), on the CPU: a pure function of its arguments.

    Args:
        seed: The run's seed.
        epoch: Counted from 0.
        count: N.
    """
    return torch.randperm(count, generator=_generator(f"order/{seed}/{epoch}"))


def balanced_order(seed: int, epoch: int, labels: Tensor, balance: float, weights: Tensor | None = None) -> Tensor:
    """Return which samples an epoch visits where some are to be seen more often: a pure function.

    As many are visited as there are, each as often as its weight says, rounded up or down at random: its own times its
    class's, which is the class's number of samples, or the sum of their weights, to the power of minus *balance*.

    Args:
        seed: The run's seed.
        epoch: Counted from 0.
        labels: int64 (N,).
        balance: From 0, where classes do not count, to 1, where each class is visited equally often.
        weights: float64 (N,), none below 0; None for all alike.

    Returns:
        int64 (N,), on the CPU: i + k N for the sample i, which was visited k times before in this epoch. So each visit
        has a number of its own, and is augmented in its own way.
    """
    labels, generator = labels.cpu(), _generator(f"balance/{seed}/{epoch}")
    count = len(labels)
    shuffled = torch.randperm(count, generator=generator)
    own = torch.ones(count, dtype=torch.float64) if weights is None else weights.cpu()
    shares = torch.bincount(labels, own)  # of classes without any weight nothing is visited, whatever divides it
    scaled = (own * shares.where(shares > 0, 1).pow(-balance)[labels])[shuffled]
    ends = scaled.cumsum(0) * (count / scaled.sum())
    offset = torch.rand(1, dtype=torch.float64, generator=generator)
    # One mark at each whole number, all moved by one offset: a sample is visited once for each mark on its stretch.
    marks = torch.arange(count, dtype=torch.float64) + offset
    visited = torch.searchsorted(ends, marks, right=True).clamp(max=count - 1)  # ascending, so equals stand together
    first = torch.searchsorted(visited, visited)
    numbered = shuffled[visited] + count * (torch.arange(count) - first)
    return numbered[torch.randperm(count, generator=generator)]


class Order(Protocol):
    """In which order an epoch visits N numbers, each once."""

    def part(self, start: int, stop: int) -> Tensor:
        """Return what is visited from place *start* up to *stop*, int64 (stop - start,)."""

    def at(self, places: Tensor) -> Tensor:
        """Return what is visited at *places*, int64 (B,), each from 0 to below N."""

    def places_of(self, visited: Tensor) -> Tensor:
        """Return at which places the numbers *visited*, int64 (B,), come."""


class TableOrder:
    """An order that stands in a table.

    Args:
        table: int64 (N,), of distinct numbers.
    """

    def __init__(self, table: Tensor) -> None:
        self._table = table
        self._sorted: tuple[Tensor, Tensor] | None = None

    def part(self, start: int, stop: int) -> Tensor:
        """Return what is visited from place *start* up to *stop*, int64 (stop - start,)."""
        return self._table[start:stop]

    def at(self, places: Tensor) -> Tensor:
        """Return what is visited at *places*, int64 (B,), each from 0 to below N."""
        return self._table[places]

    def places_of(self, visited: Tensor) -> Tensor:
        """Return at which places the numbers *visited*, int64 (B,), come."""
        if self._sorted is None:
            ascending, places = self._table.sort()
            self._sorted = ascending, places
        ascending, places = self._sorted
        return places[torch.searchsorted(ascending, visited)]


def choose_order(requested: str, count: int, balance: float, *, weighted: bool = False) -> str:
    """Return ``"table"`` or ``"keyed"``; ``"auto"`` is keyed for sets whose table would take half a gigabyte or more.

    Args:
        requested: What was asked for.
        count: Training images.
        balance: How far small classes are seen more often.
        weighted: Whether images have weights of their own.

    Raises:
        UsageError: If some are to be seen more often, which a table alone can tell, in an order without one.
    """
    if requested == "keyed" and weighted:
        raise UsageError("images with weights are chosen from a table of all; leave --order keyed out")
    if requested == "keyed" and balance:
        raise UsageError("--balance chooses from a table of all images; give --order table, or leave --balance out")
    if requested == "auto":
        return "keyed" if count >= KEYED_FROM and not balance and not weighted else "table"
    return requested


def visits(
    seed: int, epoch: int, labels: Tensor, balance: float = 0.0, kind: str = "table", weights: Tensor | None = None
) -> Order:
    """Return in which order an epoch visits the samples with these *labels*, int64 (N,), on their device.

    It is that of `sample_order`, or of `balanced_order` where there is *balance* or are *weights*, or of *kind*
    ``"keyed"`` a `KeyedOrder`.
    """
    if kind == "keyed":
        return KeyedOrder(seed, epoch, len(labels), labels.device)
    if balance or weights is not None:
        table = balanced_order(seed, epoch, labels, balance, weights)
    else:
        table = sample_order(seed, epoch, len(labels))
    return TableOrder(table.to(labels.device))


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


_CUT, _AT_ONCE = 256, 2**18


def cut(
    order: Order, spans: Sequence[tuple[int, int]], look_up: Callable[[Tensor], Tensor]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield what *order* visits in each of *spans*, which follow one another, and what *look_up* makes of that.

    Many are cut by one call, but no more than 2 MiB: a slice of its own for each batch takes a tenth of the time that
    zoo adds to a step.

    Args:
        order: Of all.
        spans: Pairs (start, stop).
        look_up: Maps what is visited, int64 (B,), to as many places.
    """
    many = max(1, min(_CUT, _AT_ONCE // (spans[0][1] - spans[0][0]))) if spans else 1
    for first in range(0, len(spans), many):
        some = spans[first : first + many]
        lengths = [stop - start for start, stop in some]
        visited = order.part(some[0][0], some[-1][1])
        yield from zip(torch.split(visited, lengths), torch.split(look_up(visited), lengths), strict=True)
