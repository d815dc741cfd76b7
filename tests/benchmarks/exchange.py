"""What slices and their exchange cost: against the bare all-reduce, and against an older zoo that had none.

    python tests/benchmarks/exchange.py                  # two minutes on a quiet machine
    python tests/benchmarks/exchange.py --before COMMIT  # two more: one process and one slice, this code and that
    python tests/benchmarks/exchange.py --early BYTES    # in place of that: what sending in the backward pass gains

The sums are timed in turns within the same processes, by the median and, for busy machines, the quickest, for models
of 34,000 parameters, with and without batch norms, and one slice a process. "ordered" and "fast" add rows, which hold
the losses, marks and wishes beside the gradients, and the batch norms' statistics; "all-reduce" is torch's, of the
gradients alone; "step" is all that a step with an ordered sum does between the backward pass and the optimizer. Older
code is taken from the repository's history into a temporary worktree; both train the same run in turns, each in a
process of its own that counts its processor time. With ``--early`` whole steps of two processes are timed, in turns
with gradients that are sent in the backward pass, in stretches of so many bytes or more, and after it.
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
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from torch import distributed, nn

from zoo.data import Batch
from zoo.training import sums
from zoo.training.losses import LossRecord
from zoo.training.memory import keep_freed_memory
from zoo.training.place import Place
from zoo.training.processes import Processes
from zoo.training.slices import Slices

ROOT = Path(__file__).parents[2]
PARAMETERS = 34_000
IMAGES = 32  # of a slice

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


def norms() -> nn.Module:
    """Return a model of as many parameters, among them those of eight batch norms."""
    return nn.Sequential(nn.Linear(PARAMETERS - 513, 1), *(nn.BatchNorm1d(32) for _ in range(8)))


MODELS: dict[str, Callable[[], nn.Module]] = {
    "one layer": lambda: nn.Linear(PARAMETERS - 1, 1),  # and its bias
    "batch norms": norms,
}


def exchanged(rank: int, size: int, store: str, rounds: int, told: Connection) -> None:
    """Time the sums of each model in one of *size* processes; the first one tells them, in microseconds."""
    world = _met(rank, size, store)
    for name, build in MODELS.items():
        slices = Slices(build(), LossRecord(), world, 0, size)
        slices._sizes = [[1] * size]
        in_order = slices._sum
        at_once = world.row_sum(slices._layout, size, torch.device("cpu"), fast=True)
        gradients = torch.zeros(PARAMETERS)
        works: dict[str, Callable[[], object]] = {
            "all-reduce": partial(distributed.all_reduce, gradients),
            "ordered": partial(in_order.add, size),
            "fast": partial(at_once.add, size),
            "step": slices.gather,
        }
        found = _timed(works, rounds)
        if rank == 0:
            told.send((name, found))
    world.close()


def stepped(stretch: int, rank: int, size: int, store: str, rounds: int, told: Connection) -> None:
    """Time steps whose gradients are sent early, and in the end, in one of *size* processes; the first one tells."""
    from torchvision.models import resnet18
    from zoo_cnn.residual import resnet9

    sums._STRETCH = stretch
    world = _met(rank, size, store)
    criterion, images, labels = nn.CrossEntropyLoss(), torch.randn(IMAGES, 3, 32, 32), torch.arange(IMAGES) % 10
    part = Batch(images, labels, torch.tensor(1 / size))

    def step(model: nn.Module, slices: Slices) -> None:
        for inputs, targets, share in slices.window([part], [[IMAGES] * size], "0/0"):
            loss = criterion(model(inputs), targets)
            loss.backward(share)
            slices.add(loss.detach(), targets)
        slices.gather()

    small = resnet9(num_classes=10, in_channels=3, image_size=(32, 32))
    for name, model in {"resnet9": small, "torchvision/resnet18": resnet18(num_classes=10)}.items():
        steps: dict[str, Callable[[], object]] = {}
        for early in (False, True):
            slices = Slices(model, LossRecord(), world, 0, size, fast=True)
            slices._sum.early = slices._sum.early if early else ()
            steps[f"{len(slices._sum.early)} stretches early"] = partial(step, model, slices)
        found = _timed(steps, rounds)
        if rank == 0:
            told.send((name, found))
    world.close()


def _met(rank: int, size: int, store: str) -> Processes:
    torch.set_num_threads(1)
    keep_freed_memory()  # as every run does
    return Processes(Place("zoo", rank, size, rank, size, store), 60.0)


def _timed(works: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Return the twentieths of each work's times, in microseconds; all are done in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    warming = min(20, rounds // 4)
    for number in range(rounds + warming):
        for name, work in works.items():
            distributed.barrier()  # so that nobody waits for who was late
            began = time.perf_counter()
            work()
            if number >= warming:
                seconds[name].append(time.perf_counter() - began)
    return {name: [each * 1e6 for each in statistics.quantiles(times, n=20)] for name, times in seconds.items()}


def told_by(target: Callable[..., None], size: int, rounds: int, models: int) -> None:
    """Run *target* in so many processes, and print what it told of each of the *models*."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        receiving, sending = context.Pipe(duplex=False)
        places = [(rank, size, f"{folder}/store", rounds, sending) for rank in range(size)]
        processes = [context.Process(target=target, args=arguments) for arguments in places]
        for process in processes:
            process.start()
        for _ in range(models):
            name, found = receiving.recv()
            print(f"{size} processes, {name}, n = {rounds}; microseconds, and against the first")
            for share, word in ((9, "median"), (0, "the quickest twentieth")):
                bare = next(iter(found.values()))[share]
                told = ", ".join(
                    f"{what} {each[share]:.0f} ({each[share] / bare:.2f} x)" for what, each in found.items()
                )
                print(f"  {word}: {told}", flush=True)
        for process in processes:
            process.join()


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
    parser.add_argument("--early", type=int, metavar="BYTES")
    arguments = parser.parse_args()
    if arguments.early:
        told_by(partial(stepped, arguments.early), 2, arguments.rounds, 2)
        return
    for size in (2, 3, 4):
        told_by(exchanged, size, arguments.rounds, len(MODELS))
    if arguments.before:
        compared(arguments.before, 7)


if __name__ == "__main__":
    main()
