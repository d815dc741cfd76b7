"""How much memory there is: for what is kept in it, and for what cannot be."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import torch

from zoo.errors import ZooError

SHARE = 0.25
"""Of the machine's memory, or a GPU's, the part that a dataset may take: the rest is the model's and everyone's."""

_GROUP = Path("/sys/fs/cgroup")


def whole_memory() -> int | None:
    """Return the bytes that the machine has, or that a container is limited to; None where the system does not tell."""
    return min((value for value in (_of_the_machine("MemTotal"), _limit()) if value is not None), default=None)


def free_memory() -> int | None:
    """Return the bytes that can be had without swapping, or None where the system does not tell."""
    found = [_of_the_machine("MemAvailable")]
    if (limit := _limit()) is not None:
        with contextlib.suppress(OSError, ValueError):
            found.append(limit - int((_GROUP / "memory.current").read_text()))
    return min((value for value in found if value is not None), default=None)


def check_fits(needed: int, what: str, cure: str) -> None:
    """Check that *needed* bytes are free, if that can be known.

    Args:
        needed: How many.
        what: What they are for: ``"60,000 images of 3 x 224 x 224"``.
        cure: What to do if they are not, in a sentence.

    Raises:
        ZooError: If they are not.
    """
    free = free_memory()
    if free is not None and needed > 0.9 * free:
        raise ZooError(f"{what} need {needed / 1e9:,.1f} GB of memory, and {free / 1e9:,.1f} GB are free. {cure}")


def device_memory(device: torch.device) -> int | None:
    """Return the bytes of memory that a GPU has; None for what computes in the machine's own."""
    return torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else None


def _of_the_machine(key: str) -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) * 1024
    with contextlib.suppress(AttributeError, OSError, ValueError):
        # Elsewhere all that is built in: of what is free, a generous bound, and still a bound.
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _limit() -> int | None:
    """Return a container's limit, control groups version 2."""
    with contextlib.suppress(OSError, ValueError):
        return int((_GROUP / "memory.max").read_text())
    return None
