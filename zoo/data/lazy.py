"""Sequences whose items are made when they are asked for: of very many names, only a few are texts at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TypeVar, overload

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")

_STRETCH = 4096
"""Items that are made at once where all are wanted one after the other."""


class Lazy(Sequence[T]):
    """A sequence whose items are made when they are asked for.

    Args:
        count: N.
        item: Makes the item at an index from 0 to below N.
        stretch: Makes those from one index up to another in one go, which is worth it where each takes longer by
            itself; if left out they are made one by one.
    """

    def __init__(
        self, count: int, item: Callable[[int], T], stretch: Callable[[int, int], list[T]] | None = None
    ) -> None:
        self._count = count
        self._item = item
        self._stretch = stretch

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        """Return the item at *index*, or a list of those in a slice."""
        if not isinstance(index, slice):
            return self._item(range(self._count)[index])
        chosen = range(*index.indices(self._count))
        if self._stretch is not None and chosen.step == 1 and chosen:
            return self._stretch(chosen.start, chosen.stop)
        return [self._item(each) for each in chosen]

    def __iter__(self) -> Iterator[T]:
        if self._stretch is None:
            yield from map(self._item, range(self._count))
            return
        for start in range(0, self._count, _STRETCH):
            yield from self._stretch(start, min(start + _STRETCH, self._count))

    def __eq__(self, other: object) -> bool:
        """Compare with any sequence, item by item, as lists do."""
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(mine == others for mine, others in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # as of a list


def taken(values: Sequence[T], places: NDArray[np.int64]) -> Lazy[T]:
    """Return the values at *places*, int64 (N,), made when they are asked for; what lies side by side in one go.

    A plugin's values may be indexed only, and are taken one by one.
    """

    def stretch(start: int, stop: int) -> list[T]:
        some = places[start:stop]
        edges = (np.flatnonzero(np.diff(some) != 1) + 1).tolist()
        found: list[T] = []
        for begin, end in pairwise([0, *edges, len(some)]):
            found += values[int(some[begin]) : int(some[end - 1]) + 1]
        return found

    at_once = stretch if isinstance(values, Lazy | list | tuple) else None
    return Lazy(len(places), lambda index: values[int(places[index])], at_once)
