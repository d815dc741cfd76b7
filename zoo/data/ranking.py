"""Orders of very many names, which are never all held as texts."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from zoo.data.lazy import taken

Places = NDArray[np.int64]

_BITS = 53  # of a hash that are used: a share is exact in float64
_STRETCH = 2**15  # names that are sorted at once


def by_name(names: Sequence[str]) -> Places:
    """Return the places of N names in their order, int64 (N,), equal ones as they come."""
    stretches = [_sorted(names, start) for start in range(0, len(names), _STRETCH)]
    if all(names[int(one[-1])] <= names[int(other[0])] for one, other in pairwise(stretches)):
        return np.concatenate([np.empty(0, np.int64), *stretches])
    merged = heapq.merge(*(_keyed(names, stretch) for stretch in stretches))
    return np.fromiter((place for _, place in merged), np.int64, len(names))


def by_share(names: Sequence[str], shares: NDArray[np.float64]) -> Places:
    """Return the places of N names by their shares, int64 (N,), those of equal ones by the names themselves."""
    order = np.argsort(shares, kind="stable")
    equal = np.flatnonzero(np.diff(shares[order]) == 0)
    for run in np.split(equal, np.flatnonzero(np.diff(equal) > 1) + 1) if len(equal) else ():
        some = slice(run[0], run[-1] + 2)
        order[some] = sorted(order[some].tolist(), key=names.__getitem__)
    return order


def name_shares(names: Sequence[str], seed: int, purpose: str) -> NDArray[np.float64]:
    """Return a number in [0, 1) for each name, float64 (N,), a hash.

    Each *purpose* has its own, or no test image could be held out again.
    """
    prefix = hashlib.blake2b(f"{purpose}\0{seed}\0".encode(), digest_size=8)

    def hashed(name: str) -> int:
        digest = prefix.copy()
        digest.update(name.encode("utf-8", "surrogatepass"))
        return int.from_bytes(digest.digest(), "big")

    found = np.fromiter(map(hashed, names), np.uint64, len(names))
    return np.ldexp((found >> np.uint64(64 - _BITS)).astype(np.float64), -_BITS)


def _sorted(names: Sequence[str], start: int) -> Places:
    some = names[start : start + _STRETCH]
    return np.array(sorted(range(len(some)), key=some.__getitem__), np.int64) + start


def _keyed(names: Sequence[str], places: Places) -> Iterator[tuple[str, int]]:
    return zip(taken(names, places), places.tolist(), strict=True)
