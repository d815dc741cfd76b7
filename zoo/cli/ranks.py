"""The command in one of several processes: one of them speaks for all."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from zoo.errors import LostError, UsageError, ZooError

if TYPE_CHECKING:
    from zoo.training.place import Place


def is_first() -> bool:
    """Whether this process prints what comes of the command."""
    here = _place()
    return here is None or here.rank == 0


def told(message: str, error: Exception) -> str:
    """Return what this process says of an error, ``zoo: ...``; nothing where the first process says it for all.

    What goes wrong before the processes have met is wrong in the command, which all of them were given.
    """
    here = _place()
    if here is None or here.rank == 0 or isinstance(error, LostError):
        return message
    if not _have_met() or (isinstance(error, ZooError) and error.is_common):
        return ""
    return message.replace("zoo: ", f"zoo: process {here.rank} of {here.size}: ", 1)


def end_process_if_it_met_others(code: int) -> None:
    """End a process that was one of several, at once: gloo's threads can abort an interpreter that takes its time."""
    if _have_met():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _place() -> Place | None:
    from zoo.training.place import place  # which ``zoo --version`` and ``zoo --help`` need not pay for

    try:
        return place()
    except UsageError:  # the variables are wrong, in a way that each process tells
        return None


def _have_met() -> bool:
    processes = sys.modules.get("zoo.training.processes")  # which imports torch, as a command that trains has done
    return processes is not None and bool(processes.have_met())
