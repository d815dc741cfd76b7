"""Several processes that torch.distributed joins."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import count
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

from zoo.errors import LostError, ToldError, ZooError, exit_code_of
from zoo.training.messages import Header, packed
from zoo.training.place import Place
from zoo.training.roll_call import RollCall, lost
from zoo.training.rows import RowLayout
from zoo.training.sums import Peers, RowSum, gather_into, row_sum
from zoo.training.world import ALONE, World

T = TypeVar("T")

TIMEOUT = 600.0
"""Seconds that a process waits for the others, where nothing else is said."""

_groups = count()


@contextmanager
def joined(place: Place | None, timeout: float) -> Iterator[World]:
    """Yield the processes of which this is one, when all of them are there; afterwards they part.

    Args:
        place: This process's place; None where it is alone.
        timeout: Seconds that a process waits for the others, here and later.

    Raises:
        LostError: If they do not come in time.
    """
    if place is None:
        yield ALONE
        return
    processes = Processes(place, timeout)
    try:
        yield processes
    except LostError:
        raise  # parting in order would wait for the lost one
    except BaseException:
        processes.close()
        raise
    processes.close()


@contextmanager
def unprinted() -> Iterator[None]:
    """Keep off the process's standard output what a library prints there meanwhile, as gloo does in torch 2.10.

    What the command prints may be JSON, and belongs to it alone.
    """
    try:
        kept = os.dup(1)
    except OSError:  # it is closed
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        sys.stdout.flush()
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def have_met() -> bool:
    """Say whether this process was ever one of several that found one another."""
    return Processes.met


class Processes(World):
    """Several processes. What they exchange is nothing but JSON and numbers, by gloo through the CPU.

    Where each has a card of its own, the rows of a step go from card to card, by NCCL.

    Args:
        place: This process's.
        timeout: Seconds that a process waits for the others.

    Raises:
        LostError: If they do not come in time.
    """

    met = False

    def __init__(self, place: Place, timeout: float) -> None:
        self.rank, self.size, self.local_size = place.rank, place.size, place.local_size
        try:
            store = _store(place, timeout)
        except RuntimeError as error:
            raise lost(self.rank, self.size, "the others before they had met") from error
        self._roll_call = RollCall(store, self.rank, self.size)
        if torch.cuda.is_available():  # one process a GPU; a launcher that shows each process one alone is as good
            torch.cuda.set_device(place.local_rank % torch.cuda.device_count())
        with self._roll_call.meeting():
            wait = timedelta(seconds=timeout)
            store.set_timeout(wait)
            self._on_cards = have_cards(store, self.rank, self.size)
            backend = "cpu:gloo,cuda:nccl" if self._on_cards else "gloo"
            os.environ.setdefault("TORCH_NCCL_BLOCKING_WAIT", "1")  # else a lost process ends this one by an abort
            with unprinted():
                distributed.init_process_group(backend, store=store, rank=self.rank, world_size=self.size, timeout=wait)
        Processes.met = True

    def first(self, make: Callable[[], T]) -> T:
        """Return what *make* returns in the first process, sent from there; or end as that one does."""
        if self.is_first:
            return self._tell(make)
        done, value = self._receive()
        if not done:
            raise ToldError(value)
        return value  # type: ignore[no-any-return]  # it is what make returned

    def agree(self, make: Callable[[], T]) -> T:
        """Return what *make* returns here. Where it raised in some process, all raise, and the first one tells why."""
        made: list[T] = []
        try:
            made.append(make())
            error, told = None, None
        except Exception as caught:  # the others must not wait for what will not come
            error, told = caught, [str(caught) or type(caught).__name__, exit_code_of(caught)]
        faults = [(rank, *fault) for rank, fault in enumerate(self.gather(told)) if fault is not None]
        if not faults:
            return made[0]
        rank, text, code = faults[0]
        if not self.is_first:
            raise ToldError(code) from error
        if error is not None:
            raise error
        raise _with_exit(f"process {rank} of {self.size}: {text}", code)

    def gather(self, value: Any) -> list[Any]:
        """Return every process's *value*, by rank."""
        header, bodies = packed(value)
        mine = torch.cat([header, *bodies])
        lengths = self._gathered(torch.tensor([len(header), len(mine)]))
        longest = max(int(whole) for _, whole in lengths)
        every = self._gathered(torch.nn.functional.pad(mine, (0, longest - len(mine))))
        return [_unpacked(data[: int(whole)], int(head)) for data, (head, whole) in zip(every, lengths, strict=True)]

    def highest(self, number: int) -> int:
        """Return the largest of every process's *number*."""
        return max(int(each) for each in self._gathered(torch.tensor([number])))

    def row_sum(self, layout: RowLayout, slices: int, device: torch.device, *, fast: bool) -> RowSum:
        """Return what adds the rows of all processes."""
        peers = Peers(self.rank, self.size, self._on_cards, self._roll_call.meeting)
        return row_sum(layout, slices, device, peers, fast=fast)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Turn what is said of a connection into a `LostError`, also where a model's own layers send something."""
        try:
            yield
        except RuntimeError as error:
            if "gloo" not in str(error) and not isinstance(error, distributed.DistError):
                raise
            raise self._roll_call.found() from error

    def close(self) -> None:
        """Part from the others."""
        self._roll_call.end()
        with suppress(RuntimeError):
            distributed.destroy_process_group()

    def _tell(self, make: Callable[[], T]) -> T:
        try:
            value = make()
        except Exception as error:  # the others must not wait for what will not come
            self._send([False, exit_code_of(error)])
            raise
        self._send([True, value])
        return value

    def _send(self, value: Any) -> None:
        header, bodies = packed(value)
        with self._roll_call.meeting():
            distributed.broadcast(torch.tensor([len(header)]), 0)
            for data in (header, *filter(len, bodies)):
                distributed.broadcast(data, 0)

    def _receive(self) -> Any:
        length = torch.zeros(1, dtype=torch.int64)
        with self._roll_call.meeting():
            distributed.broadcast(length, 0)
            data = torch.empty(int(length), dtype=torch.uint8)
            distributed.broadcast(data, 0)
            header = Header(data)
            for body in filter(len, header.bodies):
                distributed.broadcast(body, 0)
        return header.value()

    def _gathered(self, mine: Tensor) -> list[Tensor]:
        """Return every process's tensor, (n,), of one length and type."""
        every = mine.new_empty(self.size * len(mine))
        with self._roll_call.meeting():
            gather_into(every, mine)
        return list(every.view(self.size, -1))


def have_cards(store: Any, rank: int, size: int) -> bool:
    """Say whether each process has a GPU of its own, between which NCCL can send. All of them ask at one point."""
    store.set(f"card/{rank}", _card())
    cards = {bytes(store.get(f"card/{other}")) for other in range(size)}
    return len(cards) == size and b"" not in cards and distributed.is_nccl_available()


def _card() -> str:
    """Return what is this process's GPU's alone, an empty text where it has none."""
    return str(torch.cuda.get_device_properties().uuid) if torch.cuda.is_available() else ""


def _store(place: Place, timeout: float) -> Any:
    """Return the store by which the processes find one another; all of them make as many in the same order."""
    found: Any
    if place.launcher == "zoo":
        found = distributed.FileStore(place.meeting, place.size)  # type: ignore[attr-defined]  # it does not say so
    else:
        host, _, port = place.meeting.rpartition(":")
        keeps = place.rank == 0 and not place.served
        wait = timedelta(seconds=timeout)
        found = distributed.TCPStore(host, int(port), place.size, is_master=keeps, timeout=wait)  # type: ignore[attr-defined]
    # A launcher's store outlives a restart: without a prefix of one's own, the addresses of the dead are found there.
    return distributed.PrefixStore(f"zoo/{place.attempt}/{next(_groups)}", found)  # type: ignore[attr-defined]


def _unpacked(data: Tensor, head: int) -> Any:
    header = Header(data[:head])
    for body in header.bodies:
        body.copy_(data[head : head + len(body)])
        head += len(body)
    return header.value()


def _with_exit(message: str, code: int) -> ZooError:
    error = ZooError(message)
    error.exit_code = code
    return error
