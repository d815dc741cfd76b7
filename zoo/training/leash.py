"""How far a trial of a sweep may train before the sweep has looked at its epochs. Nothing here needs torch."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

LEASH = "ZOO_LEASH"
"""Set where whoever started this process tells it, through the pipe that PARENT names, after which epoch to go on."""

_PAUSE = 0.05  # seconds after which one who waits looks for signals


class Leash:
    """What was told: ``N`` lets the run train to the end of epoch N, ``-N`` ends it there."""

    def __init__(self) -> None:
        self._told = threading.Condition()
        self._until, self._ends = 0, False
        self._rest = ""

    def hear(self, text: str) -> None:
        """Take in what came through the pipe, lines that may be cut anywhere."""
        *lines, self._rest = (self._rest + text).split("\n")
        with self._told:
            for line in lines:
                self._until, self._ends = abs(int(line)), int(line) < 0
            self._told.notify_all()

    def goes_on(self, epoch: int, heed: Callable[[], None]) -> bool:
        """Wait to be told whether to go on after *epoch*, and return that; *heed*, called meanwhile, may raise."""
        while True:
            heed()
            with self._told:
                if self._is_told(epoch) or (self._told.wait(_PAUSE) and self._is_told(epoch)):
                    return epoch < self._until

    def _is_told(self, epoch: int) -> bool:
        return epoch < self._until or (self._ends and epoch == self._until)


def goes_on(until: int) -> str:
    """Return the line that lets a run train to the end of epoch *until*."""
    return f"{until}\n"


def ends(epoch: int) -> str:
    """Return the line that ends a run after *epoch*."""
    return f"-{epoch}\n"


_OF_THIS_PROCESS = Leash()


def leash() -> Leash | None:
    """Return this process's leash; None where it has none."""
    return _OF_THIS_PROCESS if os.environ.get(LEASH) else None
