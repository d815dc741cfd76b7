"""The processes that train together: this one alone, or several."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import torch

from zoo.training.rows import RowLayout
from zoo.training.sums import RowSum

T = TypeVar("T")


class World:
    """One process, which agrees with itself. `zoo.training.processes` has several.

    All processes call these methods at the same points, in the same order.

    Attributes:
        rank: Which process this is, counted from 0.
        size: How many there are.
        local_size: How many of them are on this machine.
    """

    rank, size, local_size = 0, 1, 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that reads and writes the run's directory, and tells what happens."""
        return self.rank == 0

    def first(self, make: Callable[[], T]) -> T:
        """Return what *make* returns in the first process, or raise what it raises there; no other calls it.

        What it returns is plain data and tensors, as `zoo.records.tree` knows them.
        """
        return make()

    def agree(self, make: Callable[[], T]) -> T:
        """Return what *make* returns here, when it has returned in every process; else all raise."""
        return make()

    def gather(self, value: Any) -> list[Any]:
        """Return every process's *value*, plain data and tensors, by rank."""
        return [value]

    def highest(self, number: int) -> int:
        """Return the largest of every process's *number*."""
        return number

    def row_sum(self, layout: RowLayout, slices: int, device: torch.device, *, fast: bool) -> RowSum:
        """Return what adds the rows of all processes.

        Args:
            layout: Of the rows.
            slices: The most slices that a step has.
            device: Where the rows are.
            fast: Whether they are added in whatever order is quickest; else in the order of the slices.
        """
        del slices, fast
        return RowSum(layout, device)

    def watching(self) -> AbstractContextManager[None]:
        """Return a context in which what torch says of a lost connection becomes a `LostError`."""
        return nullcontext()

    def close(self) -> None:
        """Part from the others, when all is done."""


ALONE = World()
