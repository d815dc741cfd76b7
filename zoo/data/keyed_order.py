"""An order of samples that is computed where it is wanted, and stands in no table."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Numbers = NDArray[np.uint64]
_Through = Callable[[Numbers], Numbers]

_ROUNDS = 6
_MULTIPLIERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


class KeyedOrder:
    """A permutation of N numbers, a pure function of seed, epoch and N, any part of which is computed by itself.

    A number is taken apart into two digits, of about sqrt(N) values each, and in turn a hash of the one is added to the
    other: each such round can be undone, so that together they permute. Where a result is N or more, as a few of the
    square are, it goes through again until it is not; it comes back to where it began at the latest. All is done in
    whole numbers of 64 bits, and so the same on every platform.

    Args:
        seed: The run's seed.
        epoch: Counted from 0.
        count: N, from 1 to 2**62.
        device: Where the numbers are wanted; they are made on the CPU.

    Source: Black and Rogaway 2002, the generalised Feistel cipher with cycle walking; its round function is here
        SplitMix64's finaliser, since the order must look random, and keep no secret.
    """

    def __init__(self, seed: int, epoch: int, count: int, device: torch.device | str = "cpu") -> None:
        self._count, self._device = count, device
        high = max(1, math.isqrt(count - 1) + 1)
        self._digits = high, -(-count // high)
        self._keys = [_hashed(f"order/{seed}/{epoch}/{number}") for number in range(_ROUNDS)]

    def part(self, start: int, stop: int) -> Tensor:
        """Return the samples at the places from *start* up to *stop*, int64 (stop - start,)."""
        return self._tensor(self._walk(np.arange(start, stop, dtype=np.uint64), self._forth))

    def at(self, places: Tensor) -> Tensor:
        """Return the samples at *places*, int64 (B,), each from 0 to below N."""
        return self._tensor(self._walk(_numbers(places), self._forth))

    def places_of(self, samples: Tensor) -> Tensor:
        """Return where *samples*, int64 (B,), come: the inverse of `at`."""
        return self._tensor(self._walk(_numbers(samples), self._back))

    def _walk(self, numbers: Numbers, through: _Through) -> Numbers:
        numbers = through(numbers)
        while len(outside := np.flatnonzero(numbers >= self._count)):
            numbers[outside] = through(numbers[outside])
        return numbers

    def _forth(self, numbers: Numbers) -> Numbers:
        digits = self._apart(numbers)
        for number, key in enumerate(self._keys):
            size, digit = self._digits[number % 2], digits[number % 2]
            digit += _drawn(digits[1 - number % 2], key, size)
            np.minimum(digit, digit - size, out=digit)  # what is below the size wraps around, and is kept
        return self._together(digits)

    def _back(self, numbers: Numbers) -> Numbers:
        digits = self._apart(numbers)
        for number, key in reversed(list(enumerate(self._keys))):
            size, digit = self._digits[number % 2], digits[number % 2]
            digit += size - _drawn(digits[1 - number % 2], key, size)
            np.minimum(digit, digit - size, out=digit)  # what is below the size wraps around, and is kept
        return self._together(digits)

    def _apart(self, numbers: Numbers) -> tuple[Numbers, Numbers]:
        high = numbers // self._digits[1]
        return high, numbers - high * self._digits[1]

    def _together(self, digits: tuple[Numbers, Numbers]) -> Numbers:
        high, low = digits
        high *= self._digits[1]
        high += low
        return high

    def _tensor(self, numbers: Numbers) -> Tensor:
        return torch.from_numpy(numbers.view(np.int64)).to(self._device)


def _drawn(numbers: Numbers, key: np.uint64, size: int) -> Numbers:
    """Return a hash of each of *numbers*, from 0 to below *size*, less than 2**32."""
    state = numbers + key
    for shift, multiplier in zip((30, 27), _MULTIPLIERS, strict=True):
        state ^= state >> shift
        state *= multiplier
    state >>= 32  # the best bits; their product with the size is at most 64 bits long
    state *= size
    state >>= 32
    return state


def _numbers(tensor: Tensor) -> Numbers:
    return tensor.cpu().numpy().astype(np.uint64)


def _hashed(text: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big"))
