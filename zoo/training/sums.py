"""The sum of all processes' rows. What it needs is laid out once, so that a step allocates and copies nothing more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed

from zoo.data import share_of
from zoo.training.rows import RowLayout

_SMALL = 2**22  # bytes of all rows together: below, one exchange of all is quicker than two of parts
_STRETCH = 2**22  # bytes of gradients, at least, that are sent while others are computed


class RowSum:
    """The rows that a process fills in a step, and their sum; here those of a process that is alone.

    Args:
        layout: Of the rows.
        device: Where they are.

    Attributes:
        rows: uint8 (K, length), one for each slice of this process; alone, one takes all slices, in order.
        total: uint8 (length,), where `add` leaves the sum until the rows are filled anew.
        early: The fields of each stretch of the row that `start` may send before `add`; none where that gains nothing.
    """

    early: Sequence[Sequence[int]] = ()

    def __init__(self, layout: RowLayout, device: torch.device) -> None:
        self.rows = torch.zeros(1, layout.length, dtype=torch.uint8, device=device)
        self.total = self.rows[0]

    def start(self) -> None:
        """Send the next stretch, which is full. All processes send all, in one order; `add` sends what is left."""

    def drop(self) -> None:
        """Forget what was sent: the step broke off. The others may never send their part, so nobody waits for it.

        This process then ends, by which they hear of it.
        """

    def add(self, slices: int) -> None:
        """Add the rows of a step of so many *slices*, over all processes."""


@dataclass(frozen=True)
class Peers:
    """The processes that add their rows.

    Attributes:
        rank: Which one this is.
        size: How many there are.
        on_cards: Whether rows go from card to card; else all go through the CPU.
        meeting: A context for what all do together.
    """

    rank: int
    size: int
    on_cards: bool
    meeting: Callable[[], AbstractContextManager[None]]

    def counts(self, slices: int) -> list[int]:
        """Return how many rows each process sends: one without any slice sends zeros, and what it wishes."""
        return [max(1, len(share_of(slices, rank, self.size))) for rank in range(self.size)]


def row_sum(layout: RowLayout, slices: int, device: torch.device, peers: Peers, *, fast: bool) -> RowSum:
    """Return what adds the rows of steps of up to so many *slices*: by all-reduce if *fast*, else in their order.

    In order each process adds all rows, or where they are long, a part of all. The bits are the same: each number is
    the sum of the same numbers in the same order.
    """
    rows = max(peers.counts(slices))
    if fast or (peers.size == 2 and rows == 1 and layout.has_one_type):  # two numbers have one sum, in any order
        return _Reduced(layout, slices, device, peers)
    short = rows * layout.length * peers.size <= _SMALL
    return (_Gathered if short else _Parted)(layout, slices, device, peers)


def gather_into(every: Tensor, mine: Tensor) -> None:
    """Fill *every*, (size * n,), with all processes' *mine*, (n,), by rank; it may be its own stretch of *every*."""
    _all_gather(every, mine)


_all_gather = getattr(distributed, "all_gather_single", None) or distributed.all_gather_into_tensor
"""torch 2.14 gave it another name."""


class _Exchanged(RowSum):
    """Rows that are sent from where they are, or, where gloo cannot reach them, as copies on the CPU."""

    def __init__(self, layout: RowLayout, slices: int, device: torch.device, peers: Peers) -> None:
        self._layout, self._peers = layout, peers
        self._copies = device.type != "cpu" and not peers.on_cards
        near = torch.device("cpu") if self._copies else device
        self._sent, self._sum = self._lay_out(slices, near)
        self.rows = torch.zeros_like(self._sent, device=device) if self._copies else self._sent
        self.total = torch.zeros_like(self._sum, device=device) if self._copies else self._sum

    def add(self, slices: int) -> None:
        if self._copies:
            self._sent.copy_(self.rows)
        self._add(slices)
        if self._copies:
            self.total.copy_(self._sum)

    def _lay_out(self, slices: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return where this process's rows are sent from, and where their sum stands after `_add`."""
        raise NotImplementedError

    def _add(self, slices: int) -> None:
        raise NotImplementedError


class _Reduced(_Exchanged):
    """One row of each process, added by all-reduce, a call a stretch: the order hangs on the processes' number.

    Stretches may be sent early, unless they are copied first. It changes no bit when they are.
    """

    def _lay_out(self, slices: int, device: torch.device) -> tuple[Tensor, Tensor]:
        del slices
        row = torch.zeros(1, self._layout.length, dtype=torch.uint8, device=device)
        stretches = self._layout.stretches(_STRETCH)
        self._numbers = [stretch.of(row[0]) for stretch in stretches]
        self._sending: list[distributed.Work] = []
        if not self._copies:
            self.early = [stretch.fields for stretch in stretches if stretch.fields]
        return row, row[0]

    def start(self) -> None:
        with self._peers.meeting():
            self._sending.append(distributed.all_reduce(self._numbers[len(self._sending)], async_op=True))

    def drop(self) -> None:
        self._sending.clear()  # as long as somebody holds them, the connections stay open

    def _add(self, slices: int) -> None:
        del slices
        try:
            while len(self._sending) < len(self._numbers):
                self.start()
            with self._peers.meeting():
                for sent in self._sending:
                    sent.wait()
        finally:
            self.drop()


class _Gathered(_Exchanged):
    """All rows of all processes in one buffer, in the order of the slices; the first of them becomes the sum."""

    def _lay_out(self, slices: int, device: torch.device) -> tuple[Tensor, Tensor]:
        shape = self._peers.size, max(self._peers.counts(slices)), self._layout.length
        self._every = torch.zeros(shape, dtype=torch.uint8, device=device)
        self._flat, self._columns = self._every.view(-1), dict[int, list[list[Tensor]]]()
        mine = self._every[self._peers.rank]
        self._mine = mine.view(-1)
        return mine, self._every[0, 0]

    def _add(self, slices: int) -> None:
        with self._peers.meeting():
            gather_into(self._flat, self._mine)
        for total, *others in self._columns.get(slices) or self._found(slices):
            for numbers in others:
                total.add_(numbers)

    def _found(self, slices: int) -> list[list[Tensor]]:
        """Return the numbers of each type of all rows, row by row; all steps but an epoch's last are alike."""
        counts = self._peers.counts(slices)
        rows = [row for found, count in zip(self._every, counts, strict=True) for row in found[:count]]
        self._columns[slices] = [list(column) for column in zip(*map(self._layout.numbers, rows), strict=True)]
        return self._columns[slices]


class _Parted(_Exchanged):
    """Each process gets a part of every row, adds the parts, and all collect what was added."""

    def _lay_out(self, slices: int, device: torch.device) -> tuple[Tensor, Tensor]:
        length, counts = self._layout.length, self._peers.counts(slices)
        self._part = length // self._peers.size
        self._incoming = torch.zeros(sum(counts) * self._part, dtype=torch.uint8, device=device)
        sent = torch.zeros(max(counts), length, dtype=torch.uint8, device=device)
        return sent, torch.zeros_like(sent[0])

    def _add(self, slices: int) -> None:
        rank, size = self._peers.rank, self._peers.size
        counts, length = self._peers.counts(slices), self._part
        mine = counts[rank]
        outgoing = self._sent[:mine].view(mine, size, length).transpose(0, 1).reshape(-1)  # no copy of a lone row
        incoming = self._incoming[: sum(counts) * length]
        with self._peers.meeting():
            sizes = [count * length for count in counts], [mine * length] * size
            distributed.all_to_all_single(incoming, outgoing, *sizes)
        total, *others = incoming.view(-1, length)
        for part in others:
            self._layout.add(total, part, rank * length)
        with self._peers.meeting():
            gather_into(self._sum, total)
