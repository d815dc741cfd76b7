"""Processes of one run as threads of this one: what they exchange is real, and nothing has to be started."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch
from torch import Tensor

from zoo.training.world import World

T = TypeVar("T")


class Hall:
    """Where so many threads meet: each brings something, and gets what all have brought, by rank.

    Args:
        size: How many there are.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._barrier = threading.Barrier(size, timeout=30)
        self._brought: list[Any] = [None] * size
        self._own = threading.local()

    def run(self, work: Callable[[int], T]) -> list[T]:
        """Return what *work* returns for each rank; all run at once."""

        def begun(rank: int) -> T:
            self._own.rank = rank
            try:
                return work(rank)
            except BaseException:
                self._barrier.abort()  # the others wait in vain
                raise

        with ThreadPoolExecutor(self.size) as pool:
            return list(pool.map(begun, range(self.size)))

    def meet(self, value: Any) -> list[Any]:
        """Return what every thread brought."""
        self._brought[self._own.rank] = value
        self._barrier.wait()
        found = list(self._brought)
        self._barrier.wait()
        return found

    def gather_into(self, every: Tensor, mine: Tensor) -> None:
        """Do what `zoo.training.sums.gather_into` does."""
        every.copy_(torch.cat(self.meet(mine.clone())))

    def all_reduce(self, numbers: Tensor, *, async_op: bool = False) -> Done:
        """Do what torch.distributed's function of this name does, at once."""
        numbers.copy_(torch.stack(self.meet(numbers.clone())).sum(0))
        return Done()

    def all_to_all_single(self, incoming: Tensor, outgoing: Tensor, taken: Sequence[int], sent: Sequence[int]) -> None:
        """Do what torch.distributed's function of this name does."""
        parts = self.meet(outgoing.clone().split(list(sent)))
        mine = [part[self._own.rank] for part in parts]
        assert [len(part) for part in mine] == list(taken)
        incoming.copy_(torch.cat(mine))


class Done:
    """What was sent without waiting, and is there already."""

    def wait(self) -> None:
        """Wait for nothing."""


class Member(World):
    """One of the threads' worlds."""

    def __init__(self, hall: Hall, rank: int) -> None:
        self.hall, self.rank, self.size = hall, rank, hall.size

    def gather(self, value: Any) -> list[Any]:
        """Return every thread's *value*."""
        return self.hall.meet(value)
