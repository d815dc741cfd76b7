"""The processes that train together: this one alone, or several."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from torch import Tensor

from zoo.training.rows import RowLayout

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

    def rows_for(self, slices: int) -> int:
        """Return how many rows this process fills for a step of so many slices; alone, one takes all, in order."""
        del slices
        return 1

    def sum_rows(self, rows: Tensor, total: Tensor, slices: int, layout: RowLayout) -> None:
        """Add the rows of all processes, in the order of the slices.

        Args:
            rows: This process's, uint8 (K, length); K is what `rows_for` returned.
            total: Where the sum goes, uint8 (length,).
            slices: How many slices the step has.
            layout: Of the rows.
        """
        del slices, layout
        total.copy_(rows[0])

    def add_up(self, row: Tensor, layout: RowLayout) -> None:
        """Add the rows of all processes, uint8 (length,), one of each, in whatever order is quickest, into *row*."""

    def close(self) -> None:
        """Part from the others, when all is done."""


ALONE = World()
