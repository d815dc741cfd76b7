"""Everything about zoo's speed that is measured, in one run on one machine.

    python tests/benchmarks/compare.py [--only peers,steps,...] [--peers FOLDER] [--rounds N] [--out docs/explanation]

========  ==============================================================================================================
peers     images a second beside the textbook loop, a loop over tensors written by hand, and seven trainers
steps     what zoo adds to the hand-written loop with the same operations, to the same bits; where a step's time goes
start     from the start of the process to the first step, part by part, and the peak memory
growth    time and memory against the number of images, of classes and of layers, and the batch size
target    seconds to 99 % of MNIST's test images by whole processes, and where they go
roof      what part of the processor's peak each layer and each model's step reach, and what the rest of the step is
rules     each rule by which zoo chooses layout, optimizer kernel, evaluation batch and so on, against its alternative
========  ==============================================================================================================

Contenders take turns and medians are compared, so that a busy spell of the machine falls on all alike; an idle machine
is better still; else see `measuring.clock`. Each part writes ``speed-PART.csv`` and the same as a table,
``speed-PART.md``, with hardware and versions. The peers are the extra ``bench``; one that is not installed is left
out, which the table says. ``--peers FOLDER`` is where ``pip install --target`` put them, for whoever does not want them
among their packages. It takes a quarter of an hour on 2 idle cores. Nothing is asserted: a time is a measurement, not
a test.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import growth
import peers
import roof
import rules
import start
import steps
import target
from measuring import Row, machine, markdown, write_csv

TITLES = {
    "peers": "Beside other trainers",
    "steps": "What a step is made of",
    "start": "Start-up and memory",
    "growth": "Growth",
    "target": "Seconds to 99 %",
    "roof": "How far from the roof",
    "rules": "Rules and their alternatives",
}


def main() -> None:
    """Measure what was asked for and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(TITLES), help="parts, with commas")
    parser.add_argument("--peers", type=Path, help="a folder with the peers' packages")
    parser.add_argument("--rounds", type=int, default=5, help="measured rounds of each contender")
    parser.add_argument("--out", type=Path, default=Path("docs/explanation"))
    arguments = parser.parse_args()
    parts: dict[str, Callable[[], tuple[list[Row], list[str]]]] = {
        "peers": lambda: peers.measure(arguments.peers, arguments.rounds, ("torchvision", "tensors")),
        "steps": lambda: steps.measure(arguments.rounds),
        "start": lambda: start.measure(arguments.rounds),
        "growth": lambda: growth.measure(arguments.rounds),
        "target": lambda: target.measure(arguments.rounds),
        "roof": lambda: roof.measure(arguments.rounds),
        "rules": lambda: rules.measure(arguments.rounds),
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.only.split(","):
        began = time.monotonic()
        rows, notes = parts[name]()
        write_csv(arguments.out / f"speed-{name}.csv", rows)
        text = [f"## {TITLES[name]}", "", machine(), "", *_tables(rows), *(f"- {note}" for note in notes)]
        (arguments.out / f"speed-{name}.md").write_text("\n".join(text).rstrip() + "\n")
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)


def _tables(rows: list[Row]) -> list[str]:
    """Return one table for each set of columns."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row), []).append(row)
    return [line for group in groups.values() for line in (markdown(group), "")]


if __name__ == "__main__":
    main()
