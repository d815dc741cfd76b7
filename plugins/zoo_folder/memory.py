"""How much memory is left, so that a set that cannot fit is refused before an hour of decoding."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import zoo


def check_fits(count: int, channels: int, size: tuple[int, int]) -> None:
    """Check that *count* images of that shape fit into the memory that is free, if that can be known.

    Raises:
        ZooError: If they do not.
    """
    needed = count * channels * size[0] * size[1]
    free = available_memory()
    if free is not None and needed > 0.9 * free:
        raise zoo.ZooError(
            f"{count:,} images of {channels} x {size[0]} x {size[1]} need {needed / 1e9:,.1f} GB of memory, and "
            f"{free / 1e9:,.1f} GB are free. Make them smaller, as with --set data.size={max(1, min(size) // 2)}"
        )


def available_memory() -> int | None:
    """Return the bytes that can be had without swapping, or None where the system does not tell."""
    found = [value for value in (_of_the_machine(), _of_the_group()) if value is not None]
    return min(found, default=None)


def _of_the_machine() -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    with contextlib.suppress(AttributeError, OSError, ValueError):
        # Elsewhere all that is built in: a generous bound, and still a bound.
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _of_the_group() -> int | None:
    """Return what a container's limit leaves, control groups version 2."""
    group = Path("/sys/fs/cgroup")
    with contextlib.suppress(OSError, ValueError):
        return int((group / "memory.max").read_text()) - int((group / "memory.current").read_text())
    return None
