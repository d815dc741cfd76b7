"""Doing something to many encoded images in threads: their decoders work outside the interpreter's lock."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from zoo.errors import DamagedError
from zoo.progress_bar import ProgressBar

MOST_READERS = 16
AT_ONCE = 8
"""Images that a thread takes before it reports, and before it sees an interruption."""


def reader_count(requested: int | None = None) -> int:
    """Return how many threads read: as many as *requested*, or else as there are cores for this process, at most 16."""
    if requested is not None:
        return requested
    # A container's or a batch system's share of the cores, where the system tells.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST_READERS)


def for_each(count: int, work: Callable[[int], None], title: str) -> Mapping[int, DamagedError]:
    """Call *work* with every index from 0 to below *count*, in threads.

    Args:
        count: How many there are.
        work: Does what is to be done for one of them.
        title: What the progress bar says is done.

    Returns:
        What was found wrong, by index, ascending.
    """
    faults: dict[int, DamagedError] = {}

    def take(indices: range) -> int:
        for index in indices:
            try:
                work(index)
            except DamagedError as error:
                faults[index] = error
        return len(indices)

    parts = [range(i, min(i + AT_ONCE, count)) for i in range(0, count, AT_ONCE)]
    pool = ThreadPoolExecutor(reader_count(), "zoo-reader")
    try:
        with ProgressBar(title, count, sys.stderr) as bar:
            for done in pool.map(take, parts):
                bar.advance(done)
    finally:
        # On an interruption the images that wait are given up, not decoded first.
        pool.shutdown(cancel_futures=True)
    return dict(sorted(faults.items()))
