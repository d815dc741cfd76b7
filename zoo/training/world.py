"""The processes that train together: this one alone, or several."""

from __future__ import annotations

from torch import Tensor

from zoo.training.rows import RowLayout


class World:
    """One process, which agrees with itself.

    Attributes:
        rank: Which process this is, counted from 0.
        size: How many there are.
    """

    rank, size = 0, 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that reads and writes the run's directory, and tells what happens."""
        return self.rank == 0

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
