"""What all of `compare.py`'s measurements share: the machine, medians in turns, tables."""

from __future__ import annotations

import csv
import datetime as dt
import os
import platform
import re
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

Row = Mapping[str, Any]
IMAGES = (28, 28)
clock = time.process_time if os.environ.get("ZOO_BENCH_CLOCK") == "cpu" else time.perf_counter
"""What seconds are told by. On a machine that others use, ``ZOO_BENCH_CLOCK=cpu OMP_NUM_THREADS=1`` counts the
processor time of the process itself: waiting for others does not lengthen it, though their use of the caches does."""
FACTS: dict[str, Any] = {"num_classes": 10, "in_channels": 1, "image_size": IMAGES}


def in_turns(variants: Mapping[str, Callable[[], object]], rounds: int, calls: int = 1) -> dict[str, list[float]]:
    """Time *variants* in turns, so that a busy spell of the machine falls on all alike.

    Returns:
        Seconds of each single call, by variant; ``calls`` after each other in each of *rounds* rounds, after three that
        are not measured.
    """
    for variant in variants.values():
        for _ in range(3):
            variant()
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, variant in variants.items():
            for _ in range(calls):
                began = clock()
                variant()
                seconds[name].append(clock() - began)
    return seconds


def moment(*, new: bool = False) -> float:
    """Return a moment that compares across processes, in seconds; *new*: where a process is about to start."""
    if clock is time.process_time:
        return 0.0 if new else clock()
    return time.time()


def peak_megabytes() -> float:
    """Return the greatest resident memory that this process had.

    Where Linux tells it, that of the program alone: what `resource` tells begins with the parent's at the fork.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) * 1024 / 1e6  # type: ignore[index]
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


SIDE = 2048
"""Rows and columns of the matrices whose product is the roof."""


def roof_product(dtype: torch.dtype | None = None) -> Callable[[], object]:
    """Return what multiplies two matrices of SIDE x SIDE elements, float32 if *dtype* is None."""
    import torch

    left, right = (torch.randn(SIDE, SIDE).to(dtype or torch.float32) for _ in range(2))
    return lambda: left @ right


def roof_of(seconds: Sequence[float]) -> float:
    """Return the median rate of products that took *seconds*, in floating-point operations a second."""
    return float(2 * SIDE**3 / statistics.median(seconds))


def matmul_roof(rounds: int = 7) -> float:
    """Return the machine's rate at a product of two fp32 matrices, in floating-point operations a second."""
    return roof_of(in_turns({"product": roof_product()}, rounds)["product"])


def operations(compute: Callable[[], object]) -> int:
    """Return the floating-point operations of the matrix products and convolutions in *compute*."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        compute()
    return int(counter.get_total_flops())


def machine() -> str:
    """Return one line on the hardware, the system and the versions."""
    import torch

    threads = torch.get_num_threads()
    parts = [
        f"{_processor()}, {os.cpu_count()} cores, {threads} thread{'s' * (threads > 1)}",
        *(["processor time"] if clock is time.process_time else []),
        f"{torch.backends.cpu.get_cpu_capability()}",
        f"{platform.system()} {platform.machine()}",
        f"Python {platform.python_version()}",
        *(f"{name} {installed(name)}" for name in ("torch", "torchvision", "torch-zoo")),
        dt.datetime.now(dt.UTC).date().isoformat(),
    ]
    return "; ".join(parts)


def installed(distribution: str) -> str:
    """Return a distribution's version, or an empty text."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    if facts.is_file():
        for line in facts.read_text().splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    return platform.processor()


def spread(values: Sequence[float], scale: float = 1.0, digits: int = 2) -> dict[str, float]:
    """Return median, least, greatest and count, each of *values* times *scale*."""
    scaled = [value * scale for value in values]
    numbers = {"median": statistics.median(scaled), "least": min(scaled), "greatest": max(scaled)}
    return {**{name: round(number, digits) for name, number in numbers.items()}, "n": len(scaled)}


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % interval of the mean of two values or more, Student's: its lower and upper end."""
    from zoo.reports.distributions import t_quantile

    half = t_quantile(0.975, len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5
    mean = statistics.fmean(values)
    return mean - half, mean + half


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write *rows*, whose keys may differ, with the union of their keys as header."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def markdown(rows: Sequence[Row]) -> str:
    """Return *rows* as a Markdown table."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = [_line(columns), _line("---" for _ in columns)]
    lines += [_line(_cell(row.get(column, "")) for column in columns) for row in rows]
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) or abs(value) < 1000 else f"{value:,.0f}"
