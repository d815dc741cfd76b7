"""What keeping evaluations and writing the page add to the main job: at most 1 %, and nothing to a step.

    python tests/benchmarks/bench_evaluations.py

The main job is cnn_dropout on MNIST with zoo's defaults. What a run does beyond measuring is timed where it is done:
the digests of its images and those that are in two splits, as it begins; what was said of each image, the evaluations'
documents and files, the page's libraries and the page, as an evaluation or the run ends; none of it is called in a
step. Seconds are those of the processor, which other programs disturb less than the clock's; each part runs in one
thread, while training uses ``--threads``, and *share* is what they are of the rest, divided among those. With
``--without``, runs that do none of it alternate with the others. One run takes half a minute on two quiet cores.
"""

from __future__ import annotations

import argparse
import functools
import json
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import zoo
from zoo.data import identity
from zoo.runs import api, datasets, session
from zoo.training import predictions

SPENT: dict[str, float] = {}


def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function so that its thread's processor time is added to what is spent under *name*."""

    @functools.wraps(function)
    def measured(*arguments: Any, **more: Any) -> Any:
        started = time.thread_time()
        try:
            return function(*arguments, **more)
        finally:
            SPENT[name] = SPENT.get(name, 0.0) + time.thread_time() - started

    return measured


PARTS = {
    "digests": (identity, "_identity"),
    "duplicates": (datasets.Splits, "learnt"),
    "predictions": (predictions.PredictionRecord, "taken"),
    "documents": (session, "document"),
    "files": (session, "keep_evaluation"),
    "page": (api, "_reported"),
}


def nothing(part: str) -> Callable[..., Any]:
    """Return what does nothing in the place of a part."""
    found = {
        "duplicates": {},
        "predictions": {},
        "documents": ({}, b""),
        "digests": identity.SplitIdentity((), "", "", ""),
    }.get(part)
    return (lambda run, *_: run) if part == "page" else lambda *_: found


def spent_by_run(functions: dict[str, Callable[..., Any]], epochs: int, threads: int) -> dict[str, Any]:
    """Train once with these functions in the places of the parts, and return the seconds that it took."""
    SPENT.clear()
    for name, (home, attribute) in PARTS.items():
        setattr(home, attribute, functions[name])
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run = zoo.train("cnn_dropout", epochs=epochs, threads=threads, out=Path(folder) / "run")
        page = run.directory / "report.html"
        size = page.stat().st_size if page.exists() else 0
    after = resource.getrusage(resource.RUSAGE_SELF)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": round(time.perf_counter() - started, 2), "processor": round(processor, 2), "page_bytes": size}


def main() -> None:
    """Train, and print a line of JSON for each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--without", action="store_true")
    asked = parser.parse_args()
    plain = {name: getattr(*place) for name, place in PARTS.items()}
    kinds = {"all": {name: timed(name, function) for name, function in plain.items()}}
    if asked.without:
        kinds["nothing"] = {name: nothing(name) for name in PARTS}
    for repetition in range(asked.repetitions):
        for kind, functions in kinds.items():
            found = spent_by_run(functions, asked.epochs, asked.threads)
            spent = {name: round(seconds, 4) for name, seconds in SPENT.items()}
            share = sum(spent.values()) / ((found["processor"] - sum(spent.values())) / asked.threads)
            told = {"spent": spent, "share": round(share, 5)} if kind == "all" else {}
            print(
                json.dumps({"repetition": repetition, "kept": kind, "threads": asked.threads, **found, **told}),
                flush=True,
            )


if __name__ == "__main__":
    main()
