"""Who of several processes is still there, when one of them waited in vain."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from zoo.errors import LostError, ZooError

_LOOK = 0.5  # seconds between two looks at whether somebody asks
_PATIENCE = 4 * _LOOK


class RollCall:
    """Counts the meetings of the processes, and names who did not come to one that failed.

    Nobody reports anything while all goes well. Whoever meets the others in vain asks through the store; a thread in
    each process answers how many meetings that one went to. Who is frozen or dead does not answer; who computes on, or
    hangs in somebody's code, does, and is behind.

    Args:
        store: A store of torch.distributed that all processes share.
        rank: This process.
        size: How many there are.
    """

    def __init__(self, store: Any, rank: int, size: int) -> None:
        self._store, self._rank, self._size = store, rank, size
        self._met = 0
        self._over = threading.Event()
        threading.Thread(target=self._answer, args=(store.clone(),), daemon=True).start()

    @contextmanager
    def meeting(self) -> Iterator[None]:
        """Turn what torch.distributed says of a lost connection, or of too long a wait, into a `LostError`."""
        self._met += 1
        try:
            yield
        except RuntimeError as error:
            if isinstance(error, ZooError):
                raise
            raise self.found() from error

    def found(self) -> LostError:
        """Ask who is missing, and return the error that names them."""
        return lost(self._rank, self._size, self._missing())

    def end(self) -> None:
        """Answer nobody any more."""
        self._over.set()

    def _answer(self, store: Any) -> None:
        with suppress(Exception):  # the store goes away with the process that keeps it
            while not store.check(["asked"]):
                if self._over.wait(_LOOK):
                    return
            store.set(f"answer/{self._rank}", str(self._met))

    def _missing(self) -> str:
        found: list[str] = []
        asking = threading.Thread(target=self._ask, args=(found,), daemon=True)
        asking.start()
        asking.join(2 * _PATIENCE)  # the store itself may be in the process that is lost
        return found[0] if found else "process 0, where all of them meet"

    def _ask(self, found: list[str]) -> None:
        with suppress(Exception):
            store = self._store.clone()
            store.set("asked", "1")
            time.sleep(_PATIENCE)
            answers = [_answered(store, rank) for rank in range(self._size)]
            silent = [rank for rank, met in enumerate(answers) if met is None and rank != self._rank]
            late = [rank for rank, met in enumerate(answers) if met is not None and met < self._met]
            found.append(_described(silent, late))


def lost(rank: int, size: int, missing: str) -> LostError:
    """Return the error of a process that lost another one."""
    return LostError(
        f"process {rank} of {size} lost {missing}; the last checkpoint is whole, and the same command goes on from it"
    )


def _answered(store: Any, rank: int) -> int | None:
    key = f"answer/{rank}"
    return int(store.get(key)) if store.check([key]) else None


def _described(silent: Sequence[int], late: Sequence[int]) -> str:
    if silent:
        return f"{_named(silent)}, which {'do' if len(silent) > 1 else 'does'} not answer"
    return f"{_named(late)}, for which the others waited" if late else "the connection to another one"


def _named(ranks: Sequence[int]) -> str:
    return f"process{'es' if len(ranks) > 1 else ''} {', '.join(map(str, ranks))}"
