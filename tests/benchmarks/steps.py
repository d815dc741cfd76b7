"""What zoo adds to a hand-written loop with the very same operations, and where a step's time goes.

A run of zoo, with progress bar, metrics, validation and checkpoints, and a loop written by hand take turns, a step
each, in one process; dropout of both draws the same numbers, so their weights must be equal to the bit at the end.
"""

from __future__ import annotations

import math
import os
import pty
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from measuring import FACTS, Row, clock, matmul_roof, operations
from torch import Tensor, nn

import zoo
import zoo.runs.session
from zoo.cli.transcript import Transcript
from zoo.data import sample_order
from zoo.records.checkpoints import CheckpointStore
from zoo.training.arithmetic import gradients_laid_out
from zoo.training.dropout import dropout_masks
from zoo.training.parameters import parameter_groups

# Model, batch size, training images.
CASES = (
    ("linear", 64, 12_800),
    ("mlp", 64, 12_800),
    ("mlp", 512, 25_600),
    ("pytorch_mnist", 64, 2560),
    ("cnn_dropout", 128, 7680),
)
EPOCHS = 4
PARTS = ("data", "forward", "backward", "optimizer")


class Hand:
    """The loop written by hand: the same operations in the same order, and nothing else.

    Args:
        task: zoo's, of which it takes the data and the settings.
        name: The model's.
    """

    def __init__(self, task: Any, name: str) -> None:
        subset = task.training.split
        chosen, whole = subset.indices, subset.split
        while hasattr(whole, "indices"):  # capped after the validation images were held out
            chosen, whole = whole.indices[chosen], whole.split
        self.images, self.labels, self.chosen = whole.images, whole.labels, chosen
        self.model: nn.Module = zoo.create("models", name, **FACTS)
        self.layout = task.training._prepare.memory_format
        self.model.to(memory_format=self.layout).load_state_dict(task.forward.state_dict())
        groups = parameter_groups(self.model)
        self.optimizer = torch.optim.AdamW(groups, lr=task.updates.optimizer.defaults["lr"], fused=True)
        self.scheduler = zoo.create(
            "schedulers",
            "one_cycle",
            optimizer=self.optimizer,
            total_steps=task.steps,
            steps_per_epoch=task.training.steps,
        )
        self.criterion = nn.CrossEntropyLoss()
        self.shift, self.scale = task.training._prepare.shift, task.training._prepare.scale
        self.size = task.training._spans[0][1]
        self.validation = task.validation
        self.model.train()
        self.running_loss = 0.0
        self.parts: dict[str, list[float]] = {part: [] for part in PARTS}
        self.begin_epoch(0)

    def begin_epoch(self, epoch: int) -> None:
        """Shuffle."""
        self.order = self.chosen[sample_order(0, epoch, len(self.chosen))].split(self.size)
        self.position = 0

    def prepare(self, images: Tensor) -> Tensor:
        """Return normalised inputs."""
        inputs = images.to(torch.float32, memory_format=self.layout)
        return inputs.sub_(self.shift).mul_(self.scale)

    def step(self) -> None:
        """Take one step."""
        chosen = self.order[self.position]
        inputs, labels = self.prepare(self.images.index_select(0, chosen)), self.labels.index_select(0, chosen)
        self.optimizer.zero_grad()
        loss = self.criterion(self.model(inputs), labels)
        loss.backward()
        self.optimizer.step()
        self.scheduler.step()
        self.running_loss += loss.item()
        self.position += 1

    def step_in_parts(self) -> None:
        """Take one step and note when each part of it was done."""
        times = [clock()]
        chosen = self.order[self.position % len(self.order)]
        inputs, labels = self.prepare(self.images.index_select(0, chosen)), self.labels.index_select(0, chosen)
        times.append(clock())
        loss = self.criterion(self.model(inputs), labels)
        times.append(clock())
        self.optimizer.zero_grad()
        loss.backward()
        times.append(clock())
        self.optimizer.step()
        times.append(clock())
        for part, began, ended in zip(PARTS, times, times[1:], strict=False):
            self.parts[part].append(ended - began)
        self.position += 1

    def evaluate(self) -> tuple[float, float]:
        """Return mean loss and accuracy on the validation images."""
        self.model.eval()
        loss, hits, count = 0.0, 0, 0
        with torch.no_grad():
            for inputs, labels in self.validation:
                logits = self.model(inputs)
                loss += self.criterion(logits, labels).item() * len(labels)
                hits += int((logits.argmax(1) == labels).sum())
                count += len(labels)
        self.model.train()
        return loss / count, hits / count


class Turns(Transcript):
    """Prints as `zoo train` does on a terminal, and lets the hand-written loop take its step after each of zoo's."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.pairs: list[tuple[float, float]] = []
        self.zoo_epochs: list[float] = []
        self.hand_epochs: list[float] = []
        self.other: Hand | None = None
        self.equal = False
        self._random = torch.get_rng_state()
        self._began = 0.0
        self._epoch = 0

    def meet(self, task: Any) -> None:
        """Make the other loop, just before the first step."""
        self.task = task
        self._random = torch.get_rng_state()
        with torch.random.fork_rng():
            self.other = Hand(task, self.name)
        self._began = clock()

    def step(self, progress: Any) -> None:
        """Note how long zoo took for its step, the bar included; then give the other loop its turn."""
        super().step(progress)
        took = clock() - self._began
        assert self.other is not None
        ours = torch.get_rng_state()
        torch.set_rng_state(self._random)
        first = progress.epoch > self._epoch
        if first:
            self._epoch = progress.epoch
            began = clock()
            self.other.evaluate()
            self.other.begin_epoch(progress.epoch)
            self.hand_epochs.append(clock() - began)
            self.zoo_epochs.append(took - statistics.median(ours for ours, _ in self.pairs))
        began = clock()
        self.other.step()
        if not first:
            self.pairs.append((took, clock() - began))
        if progress.step == self.task.steps:
            self.equal = _equal(self.task, self.other)
        self._random = torch.get_rng_state()
        torch.set_rng_state(ours)
        self._began = clock()


@contextmanager
def terminal() -> Iterator[None]:
    """Let stdout be a terminal that nobody looks at, so that the progress bar is drawn."""
    master, slave = pty.openpty()

    def drain() -> None:
        try:
            while os.read(master, 1 << 16):
                pass
        except OSError:
            pass

    reader = threading.Thread(target=drain, daemon=True)
    reader.start()
    before = sys.stdout
    sys.stdout = os.fdopen(slave, "w")
    try:
        yield
    finally:
        sys.stdout.close()
        sys.stdout = before
        os.close(master)


@contextmanager
def watched(turns: Turns, saves: list[float]) -> Iterator[None]:
    """Hand the task to *turns*, and note how long each checkpoint takes."""
    fit, save = zoo.runs.session.fit, CheckpointStore.save

    def meet_and_fit(task: Any, progress: Any, listener: Any) -> None:
        turns.meet(task)
        assert turns.other is not None
        with gradients_laid_out(turns.other.model):
            fit(task, progress, listener)

    def timed_save(*arguments: Any, **options: Any) -> Path:
        began = clock()
        path = save(*arguments, **options)
        saves.append(clock() - began)
        return path

    zoo.runs.session.fit, CheckpointStore.save = meet_and_fit, timed_save  # type: ignore[method-assign]
    try:
        yield
    finally:
        zoo.runs.session.fit, CheckpointStore.save = fit, save  # type: ignore[method-assign]


def measure(rounds: int) -> tuple[list[Row], list[str]]:
    """Return rows of what zoo adds, and of what a step is made of, and the machine's roof."""
    roof = matmul_roof()
    overheads, parts = [], []
    for name, batch_size, images in CASES:
        overhead, part = _case(name, batch_size, images, max(2, EPOCHS * rounds // 5), roof)
        overheads.append(overhead)
        parts.append(part)
        print(f"  {name} {batch_size}", file=sys.stderr)
    roof = (roof + matmul_roof()) / 2
    note = (
        f"the roof is a product of two fp32 matrices, 2048 x 2048: {roof / 1e9:.0f} GFLOP/s, measured before and after"
    )
    return [*overheads, *parts], [note]


def _case(name: str, batch_size: int, images: int, epochs: int, roof: float) -> tuple[Row, Row]:
    turns, saves = Turns(name), list[float]()
    options = {"data.limit": images, "train.precision": "fp32"}  # as the loop by hand computes
    with tempfile.TemporaryDirectory() as folder, terminal(), watched(turns, saves):
        run = zoo.train(
            name, batch_size=batch_size, epochs=epochs, options=options, out=Path(folder) / "run", reporter=turns
        )
    other = turns.other
    assert other is not None
    pairs = turns.pairs[3:]
    zoo_step, hand_step = (statistics.median(steps) for steps in zip(*pairs, strict=True))
    # Step i of one against step i of the other, so that a busy spell falls on both.
    paired = [ours - theirs for ours, theirs in pairs]
    epoch = [ours - theirs for ours, theirs in zip(turns.zoo_epochs, turns.hand_epochs, strict=True)]
    save = statistics.median(saves)
    whole_epoch = zoo_step * 55_000 / batch_size + statistics.median(turns.hand_epochs)
    overhead = {
        "model": name,
        "batch": batch_size,
        "zoo, ms a step": round(1e3 * zoo_step, 3),
        "by hand, ms a step": round(1e3 * hand_step, 3),
        "speed against by hand": round(hand_step / zoo_step, 3),
        "added, us a step (paired)": round(1e6 * statistics.median(paired)),
        "95 % interval": " to ".join(f"{1e6 * end:.0f}" for end in median_interval(paired)),
        "added, ms an epoch": round(1e3 * statistics.median(epoch), 1),
        "of which the checkpoint": round(1e3 * save, 1),
        "checkpoint, % of 55,000 images": round(100 * save / whole_epoch, 2),
        "equal bits": "yes" if turns.equal else "no",
        "steps": len(paired),
    }
    with dropout_masks(run.config.train.dropout_masks), gradients_laid_out(other.model):
        for _ in range(3 + len(paired) // 4):
            other.step_in_parts()
    parts = {part: statistics.median(values[3:]) for part, values in other.parts.items()}
    work = _operations(other)
    return overhead, {
        "model": name,
        "batch": batch_size,
        **{f"{part}, us": round(1e6 * seconds) for part, seconds in parts.items()},
        "zoo, us": overhead["added, us a step (paired)"],
        "MFLOP": round(work / 1e6),
        "GFLOP/s": round(work / zoo_step / 1e9),
        "% of the roof": round(100 * work / zoo_step / roof),
    }


def _equal(task: Any, other: Hand) -> bool:
    """Whether the weights and the optimizer's moments are equal to the bit."""
    ours, theirs = task.forward.state_dict(), other.model.state_dict()
    states = (task.updates.optimizer.state_dict()["state"], other.optimizer.state_dict()["state"])
    weights = all(torch.equal(ours[key], theirs[key]) for key in ours)
    return weights and all(torch.equal(states[0][key]["exp_avg_sq"], states[1][key]["exp_avg_sq"]) for key in states[0])


def _operations(other: Hand) -> int:
    """Return the floating-point operations of a step's matrix products and convolutions, forward and backward."""
    chosen = other.order[0]
    inputs, labels = other.prepare(other.images[chosen]), other.labels[chosen]
    return operations(lambda: other.criterion(other.model(inputs), labels).backward())


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return a 95 % confidence interval of the median of independent *values*, by order statistics."""
    ordered, half = sorted(values), 0.98 * math.sqrt(len(values))
    low, high = math.floor(len(values) / 2 - half), math.ceil(len(values) / 2 + half)
    return ordered[max(low, 0)], ordered[min(high, len(values) - 1)]
