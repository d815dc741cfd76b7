"""Very many byte strings that cost their bytes, such as the paths of a folder or the names in a pack."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice, pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

_STRETCH = 4096
"""Strings that are joined in one go."""


class ByteStrings:
    """N byte strings in one buffer, each made when it is asked for by its place, from 0 to N - 1, or from the end.

    Args:
        buffer: Their bytes, one behind the other.
        ends: Where in *buffer* each ends, (N,), whole numbers.
    """

    def __init__(self, buffer: bytes | bytearray, ends: NDArray[Any]) -> None:
        self._buffer = buffer
        places = np.uint32 if len(buffer) < 2**32 else np.uint64
        self._ends = np.concatenate([np.zeros(1, places), ends.astype(places, copy=False)])

    @classmethod
    def of(cls, items: Iterable[bytes]) -> Self:
        """Return those that *items* yields, which are held one stretch at a time."""
        buffer, ends = bytearray(), [np.zeros(0, np.uint64)]
        rest = iter(items)
        while some := list(islice(rest, _STRETCH)):
            ends.append(len(buffer) + np.cumsum(np.fromiter(map(len, some), np.uint64, len(some))))
            buffer += b"".join(some)
        return cls(buffer, np.concatenate(ends))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, index: int) -> bytes:
        place = range(len(self))[index]
        return self.cut(place, place + 1)[0]

    def cut(self, start: int, stop: int) -> list[bytes]:
        """Return those from one place up to another, in one go."""
        ends = self._ends[start : stop + 1].tolist()
        first, some = ends[0], bytes(memoryview(self._buffer)[ends[0] : ends[-1]])
        return [some[begin - first : end - first] for begin, end in pairwise(ends)]

    def having(self, part: bytes) -> bytes | None:
        """Return the first that holds *part*, a single byte, or None."""
        place = self._buffer.find(part)
        return None if place < 0 else self[int(np.searchsorted(self._ends, place, side="right")) - 1]
