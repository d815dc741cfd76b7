"""What slices and their exchange cost: against the bare all-reduce, and against an older zoo that had none.

    python tests/benchmarks/exchange.py                  # a minute on a quiet machine
    python tests/benchmarks/exchange.py --before COMMIT  # two more: one process and one slice, this code and that

The sums are timed in turns within the same processes, by the median and, for busy machines, the quickest, for a model
of 34,000 parameters and one slice a process. "ordered" and "fast" add rows, which hold the losses, marks and wishes
beside the gradients; "all-reduce" is torch's, of the gradients alone; "step" is all that a step with an ordered sum
does between the backward pass and the optimizer. Older code is taken from the repository's history into a temporary
worktree; both train the same run in turns, each in a process of its own that counts its processor time.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from torch import distributed, nn

from zoo.training.losses import LossRecord
from zoo.training.memory import keep_freed_memory
from zoo.training.place import Place
from zoo.training.processes import Processes
from zoo.training.slices import Slices

ROOT = Path(__file__).parents[2]
PARAMETERS = 34_000

TRAIN = """
import sys, tempfile, time
import torch, zoo
torch.set_num_threads(1)
times = []
for model in ("linear", "cnn_dropout"):
    with tempfile.TemporaryDirectory() as folder:
        steps = {"linear": 3000, "cnn_dropout": 150}[model]
        began = time.process_time()
        settings = {"batch_size": 64, "seed": 1, "threads": 1, "options": {"data.limit": 6000}}
        zoo.train(model, steps=steps, out=folder + "/run", **settings)
        times.append(time.process_time() - began)
print(*times)
"""


def exchanged(rank: int, size: int, store: str, rounds: int, told: Connection) -> None:
    """Time the three sums in one of *size* processes; the first one tells their medians, in microseconds."""
    torch.set_num_threads(1)
    keep_freed_memory()  # as every run does
    world = Processes(Place("zoo", rank, size, rank, size, store), 60.0)
    model = nn.Linear(PARAMETERS - 1, 1)  # and its bias
    slices = Slices(model, LossRecord(), world, 0, size)
    slices._sizes = [[1] * size]
    in_order = slices._sum
    at_once = world.row_sum(slices._layout, size, torch.device("cpu"), fast=True)
    gradients = torch.zeros(PARAMETERS)
    sums: dict[str, Callable[[], object]] = {
        "all-reduce": lambda: distributed.all_reduce(gradients),
        "ordered": lambda: in_order.add(size),
        "fast": lambda: at_once.add(size),
        "step": slices.gather,
    }
    seconds: dict[str, list[float]] = {name: [] for name in sums}
    for number in range(rounds + 20):
        for name, add in sums.items():
            distributed.barrier()  # so that nobody waits for who was late
            began = time.perf_counter()
            add()
            if number >= 20:
                seconds[name].append(time.perf_counter() - began)
    if rank == 0:
        told.send({name: [each * 1e6 for each in statistics.quantiles(times, n=20)] for name, times in seconds.items()})
    world.close()


def exchanges(rounds: int) -> None:
    """Print the sums' times for two to four processes."""
    context = multiprocessing.get_context("spawn")
    for size in (2, 3, 4):
        with tempfile.TemporaryDirectory() as folder:
            receiving, sending = context.Pipe(duplex=False)
            places = [(rank, size, f"{folder}/store", rounds, sending) for rank in range(size)]
            processes = [context.Process(target=exchanged, args=arguments) for arguments in places]
            for process in processes:
                process.start()
            found = receiving.recv()
            for process in processes:
                process.join()
        print(f"{size} processes, {PARAMETERS} parameters, n = {rounds}; microseconds, and against the bare all-reduce")
        for share, name in ((9, "median"), (0, "the quickest twentieth")):
            bare = found["all-reduce"][share]
            told = ", ".join(f"{what} {each[share]:.0f} ({each[share] / bare:.2f} x)" for what, each in found.items())
            print(f"  {name}: {told}", flush=True)


def compared(commit: str, rounds: int) -> None:
    """Print how long runs in one process and one slice take in this code, against that of *commit*."""
    with tempfile.TemporaryDirectory() as folder:
        older = Path(folder) / "older"
        subprocess.run(
            ["git", "worktree", "add", "--detach", str(older), commit], cwd=ROOT, check=True, capture_output=True
        )
        try:
            times: dict[Path, list[list[float]]] = {ROOT: [], older: []}
            for _ in range(rounds):
                for place, found in times.items():
                    found.append(trained(place))
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(older)], cwd=ROOT, check=True)
    for number, model in enumerate(("linear", "cnn_dropout")):
        now, before = (statistics.median(each[number] for each in found) for found in times.values())
        print(f"{model}: {now:.2f} s now, {before:.2f} s at {commit}: {now / before:.3f} x, n = {rounds}", flush=True)


def trained(place: Path) -> list[float]:
    """Return the processor seconds that the runs take with the code in *place*."""
    variables = {**os.environ, "PYTHONPATH": f"{place}:{place / 'plugins'}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", TRAIN], env=variables, check=True, capture_output=True, text=True)
    return [float(word) for word in done.stdout.split()[-2:]]


def main() -> None:
    """Time what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--before", metavar="COMMIT")
    arguments = parser.parse_args()
    exchanges(arguments.rounds)
    if arguments.before:
        compared(arguments.before, 7)


if __name__ == "__main__":
    main()
