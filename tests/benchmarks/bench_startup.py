"""How long zoo's light commands take as whole processes, beside bare Python, and what each installed plugin adds.

    python tests/benchmarks/bench_startup.py [--rounds 15] [--out docs/explanation]

Measured, in alternating rounds so that a busy spell of the machine falls on all alike, each once before to warm the
file cache and write the bytecode:

- Python that does nothing, that imports click and pluggy, and that also asks for all entry points;
- ``zoo --help``, ``zoo --version``, ``zoo list models``, and one TAB completion of a model's name, as bash asks;
- ``zoo --help`` and ``zoo list models`` with 10, 100 and 1,000 more distributions of 10 entries each, which are made
  in a temporary folder; the slope is that of the least-squares line through the medians.

It writes ``startup.csv``, one row a case with medians and least milliseconds, and ``startup.md``, the same
as a table with the machine and the versions. It takes three minutes on 2 idle cores. Nothing is asserted: a time is a
measurement, not a test.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

COUNTS = (0, 10, 100, 1000)
ENTRIES = 10

_UNUSUAL = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONPATH", "ZOO_DISABLE", "ZOO_DEBUG")
_ZOO = "import sys; from zoo.cli import main; sys.exit(main())"
_TAB = {"_ZOO_COMPLETE": "bash_complete", "COMP_WORDS": "zoo train --model resn", "COMP_CWORD": "3"}
_PLUGIN = """import zoo


@zoo.hookimpl
def register(add):
    for number in range({entries}):
        add.model(f"net_{index}_{{number}}", "zoo_fake_{index}.nets:net", summary="A net that is only listed.")
"""


@dataclass
class Case:
    """One command that is measured.

    Attributes:
        name: What the table calls it.
        command: The process.
        variables: Added to its environment.
        wall: Milliseconds from start to end, one number a round.
        cpu: Milliseconds of processor time, likewise.
    """

    name: str
    command: Sequence[str]
    variables: Mapping[str, str]
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def run(self) -> tuple[float, float]:
        """Run the process once, and return its milliseconds of wall-clock and of processor time."""
        # A user's Python keeps its bytecode; some build machines forbid it, which would measure the compiler.
        usual = {name: value for name, value in os.environ.items() if name not in _UNUSUAL}
        environment = {**usual, **self.variables}
        started, used = time.perf_counter(), _processor_seconds()
        subprocess.run(self.command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        return (time.perf_counter() - started) * 1000, (_processor_seconds() - used) * 1000


def install_fakes(folder: Path, count: int) -> Path:
    """Make *count* distributions of `ENTRIES` entries each in *folder*, and return it."""
    folder.mkdir()
    for index in range(count):
        name = f"zoo-fake-{index}"
        info = folder / f"zoo_fake_{index}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Dist: torch-zoo>=0.1\n"
        )
        (info / "entry_points.txt").write_text(f"[zoo]\nfake{index} = zoo_fake_{index}\n")
        (folder / f"zoo_fake_{index}.py").write_text(_PLUGIN.format(entries=ENTRIES, index=index))
    return folder


def cases(folder: Path) -> Iterator[Case]:
    """Yield what is measured."""

    def python(name: str, code: str, *arguments: str, **variables: str) -> Case:
        return Case(name, [sys.executable, "-c", code, *arguments], variables)

    yield python("python -c pass", "pass")
    yield python("python, click and pluggy", "import click, pluggy")
    yield python(
        "python, click, pluggy and entry_points()",
        "import click, pluggy\nfrom importlib.metadata import entry_points\nentry_points()",
    )
    yield python("zoo --help", _ZOO, "--help")
    yield python("zoo --version", _ZOO, "--version")
    yield python("zoo list models", _ZOO, "list", "models")
    yield python("zoo train --model resn TAB", _ZOO, **_TAB)
    for count in COUNTS[1:]:
        path = str(install_fakes(folder / str(count), count))
        yield python(f"zoo --help, {count:,} more distributions", _ZOO, "--help", PYTHONPATH=path)
        yield python(f"zoo list models, {count:,} more distributions", _ZOO, "list", "models", PYTHONPATH=path)


def measure(measured: Sequence[Case], rounds: int, progress: Callable[[str], object]) -> None:
    """Run every case once unmeasured, then *rounds* times in turn."""
    for case in measured:
        case.run()
    for number in range(rounds):
        progress(f"\rround {number + 1}/{rounds}")
        for case in measured:
            wall, cpu = case.run()
            case.wall.append(wall)
            case.cpu.append(cpu)
    progress("\n")


def slope(measured: Sequence[Case]) -> float:
    """Return how many milliseconds of processor time ``zoo list models`` takes for each distribution more."""
    medians = {case.name: statistics.median(case.cpu) for case in measured}
    names = ["zoo list models", *(f"zoo list models, {count:,} more distributions" for count in COUNTS[1:])]
    return statistics.linear_regression(COUNTS, [medians[name] for name in names]).slope


def machine() -> str:
    """Return the hardware and the versions in one sentence."""
    hardware = f"{os.cpu_count()} cores of {_processor()}"
    packages = [f"{name} {version(name)}" for name in ("click", "pluggy", "timm", "torch-zoo")]
    load = f"{os.getloadavg()[0]:.1f} processes waiting"
    return ", ".join([hardware, platform.system(), load, f"Python {platform.python_version()}", *packages])


def _numbers(case: Case) -> tuple[float, ...]:
    return statistics.median(case.wall), min(case.wall), statistics.median(case.cpu), min(case.cpu)


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def write(measured: Sequence[Case], out: Path) -> str:
    """Write the CSV and the Markdown file, and return the latter's text."""
    with (out / "startup.csv").open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["command", "runs", "wall_median_ms", "wall_min_ms", "cpu_median_ms", "cpu_min_ms"])
        for case in measured:
            rows.writerow([case.name, len(case.wall), *(f"{number:.1f}" for number in _numbers(case))])
    lines = [
        "# Start-up, measured",
        "",
        f"Whole processes, {len(measured[0].wall)} alternating runs, in milliseconds; written by",
        f"`tests/benchmarks/bench_startup.py` on {machine()}.",
        "A busy machine stretches the wall clock's time most, but processor time, too: compare bare Python's rows.",
        "",
        "| command | wall, median | wall, least | processor, median | processor, least |",
        "|---|---:|---:|---:|---:|",
        *("| " + " | ".join([case.name, *(f"{number:.0f}" for number in _numbers(case))]) + " |" for case in measured),
        "",
        f"Each further distribution of {ENTRIES} entries adds {slope(measured):.2f} ms of processor time to a list.",
    ]
    text = "\n".join(lines) + "\n"
    (out / "startup.md").write_text(text)
    return text


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15, help="measured runs of each command")
    parser.add_argument(
        "--out", type=Path, default=Path("docs/explanation"), help="folder for startup.csv and startup.md"
    )
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured = list(cases(Path(folder)))
        measure(measured, chosen.rounds, sys.stderr.write)
    print(write(measured, chosen.out), end="")


if __name__ == "__main__":
    main()
