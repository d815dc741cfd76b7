"""What keeping evaluations and writing the page add to the main job: at most 1 %, and nothing to a step.

    python tests/benchmarks/bench_evaluations.py

The main job is cnn_dropout on MNIST for two epochs. What a run does beyond measuring is timed where it
is done: the record of its images with the duplicates as it begins, the evaluations' documents and files and the page
as it ends; none of it is called in a step. Two repetitions take under three minutes on two quiet cores.
"""

from __future__ import annotations

import argparse
import functools
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import zoo
from zoo.reports import report
from zoo.runs import session, training

SPENT: dict[str, float] = {}


def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function so that its seconds are added to those that are spent under *name*."""

    @functools.wraps(function)
    def measured(*arguments: Any, **more: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*arguments, **more)
        finally:
            SPENT[name] = SPENT.get(name, 0.0) + time.perf_counter() - started

    return measured


def main() -> None:
    """Train, and print a line of JSON for each repetition."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=2)
    asked = parser.parse_args()
    session.document = timed("documents", session.document)  # type: ignore[attr-defined]
    session.keep_evaluation = timed("files", session.keep_evaluation)  # type: ignore[attr-defined]
    training.keep_identity = timed("identity", training.keep_identity)  # type: ignore[attr-defined]
    report.report_if_possible = timed("page", report.report_if_possible)
    for repetition in range(asked.repetitions):
        SPENT.clear()
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            run = zoo.train("cnn_dropout", epochs=asked.epochs, out=Path(folder) / "run")
            seconds = time.perf_counter() - started
            size = (run.directory / "report.html").stat().st_size
        told = {name: round(spent, 4) for name, spent in sorted(SPENT.items())}
        share = sum(SPENT.values()) / (seconds - sum(SPENT.values()))
        facts = {"repetition": repetition, "threads": torch.get_num_threads(), "seconds": round(seconds, 2)}
        print(json.dumps({**facts, "spent": told, "share": round(share, 5), "page_bytes": size}))


if __name__ == "__main__":
    main()
