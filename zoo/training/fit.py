"""From epoch to epoch: train, evaluate, keep what was best, and stop when it is time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from torch import Tensor, nn

from zoo.data import Batch, EvaluationBatches, TrainingBatches
from zoo.records.epochs import EpochResult, result_of
from zoo.training.arithmetic import gradients_laid_out
from zoo.training.evaluation import Metrics, evaluate
from zoo.training.freezing import Freezing
from zoo.training.loop import train_epoch
from zoo.training.losses import LossRecord, NonFiniteLossError
from zoo.training.predictions import PredictionRecord
from zoo.training.probing import Probe
from zoo.training.sharding import Shards
from zoo.training.slices import Slices
from zoo.training.updates import Updates
from zoo.training.world import ALONE, World


@dataclass
class Progress:
    """How far a run is. With the model, the optimizer, the scheduler and the random state, it is all that changes.

    Attributes:
        epoch: Epochs finished.
        position: Windows of the current epoch that are finished.
        step: Optimizer steps taken; windows whose gradients overflowed in fp16 are none.
        lrs: The rate at each window of the current epoch.
        results: The finished epochs, and before them, where there was a probe, that one as epoch 0.
        best_epoch: The epoch that validated best, the earliest of equals; the last without validation.
        train_seconds: Spent in the current epoch's steps.
        seconds: Spent in all.
    """

    epoch: int = 0
    position: int = 0
    step: int = 0
    lrs: list[float] = field(default_factory=list)
    results: list[EpochResult] = field(default_factory=list)
    best_epoch: int = 0
    train_seconds: float = 0.0
    seconds: float = 0.0

    @property
    def best(self) -> EpochResult | None:
        """The result of the best epoch; None before there is any."""
        return result_of(self.results, self.best_epoch)


class Listener(Protocol):
    """What is composed around the loop: printing, saving, stopping at a signal."""

    def step_finished(self) -> None:
        """A step is done; raising stops the run here."""

    def evaluation_batch(self) -> None:
        """A batch is about to be evaluated; raising stops the run here."""

    def epoch_finished(self, result: EpochResult) -> None:
        """An epoch is done, and the progress says so."""


@dataclass
class Task:
    """Everything that `fit` works with. It knows no names.

    Attributes:
        forward: Maps inputs (N, C, H, W) to logits (N, K), with gradients.
        judged: The same for evaluation: the averaged weights where there are such, else *forward*.
        criterion: Maps logits and targets to the mean loss.
        denominator: What that mean was divided by.
        updates: The optimizer and what goes with it.
        training: The training batches.
        validation: The validation batches; None without.
        losses: The losses of the current epoch.
        steps: Optimizer steps of the whole run.
        patience: Epochs without a better validation before the run stops; None for no such rule.
        select: What makes a validation better: ``"accuracy"``, ``"balanced"`` or ``"loss"``.
        slices: What cuts the steps into slices; None where they are not cut.
        predictions: Keeps those of the newest validation; None to keep none.
        freezing: What stands still at which step; None where nothing does.
        world: The processes that train together.
        probe: Fits the head before the first step; None for none.
        refit: Fits the head of what is judged anew after the last step; None for nothing.
        shards: The weights that are shared out over the processes; None where each has all.
    """

    forward: nn.Module
    judged: nn.Module
    criterion: Callable[[Tensor, Tensor], Tensor]
    denominator: Callable[[Tensor], Any]
    updates: Updates
    training: TrainingBatches
    validation: EvaluationBatches | None
    losses: LossRecord
    steps: int
    patience: int | None = None
    select: str = "accuracy"
    slices: Slices | None = None
    predictions: PredictionRecord | None = None
    freezing: Freezing | None = None
    world: World = ALONE
    probe: Probe | None = None
    refit: Probe | None = None
    shards: Shards | None = None

    @property
    def epochs(self) -> int:
        """Epochs of the whole run; the last may be cut short by *steps*."""
        return math.ceil(self.steps / self.training.steps)

    def windows_in(self, epoch: int) -> int:
        """Optimizer steps of *epoch*, counted from 0."""
        return min(self.training.steps, self.steps - epoch * self.training.steps)

    def idling(self, model: nn.Module) -> Callable[[], object]:
        """Return what a process does while others evaluate *model* on a batch and it has none."""
        return partial(self.shards.idle, model) if self.shards is not None else lambda: None


def fit(task: Task, progress: Progress, listener: Listener) -> None:
    """Train from where *progress* is to the end, and keep *progress* up to date.

    Raises:
        NonFiniteLossError: If a loss was not finite, or what a head is to be fitted to.
    """
    clock = _Clock(progress)
    if task.probe is not None and not progress.results and not progress.step:
        listener.epoch_finished(_probed(task, task.probe, progress, listener, clock))
        clock.stop()
    try:
        with gradients_laid_out(task.forward):
            _fit(task, progress, listener, clock)
    finally:
        if task.freezing is not None:
            task.freezing.release()


def _fit(task: Task, progress: Progress, listener: Listener, clock: _Clock) -> None:
    while progress.epoch < task.epochs and not _out_of_patience(task, progress):
        # Closed, so that also where the loop is left by an error nothing goes on reading images.
        with closing(_between_steps(task, progress, listener, clock)) as windows:
            train_epoch(task.forward, windows, task.criterion, task.updates, task.slices or task.losses)
        check_losses(task, progress)
        clock.training()  # the device had steps left to do until their losses could be read
        if task.refit is not None and progress.epoch + 1 == task.epochs:
            _fit_head(task, task.refit, progress, listener)
        metrics = _validated(task, progress, listener)
        clock.stop()
        result = _close_epoch(task, progress, metrics)
        listener.epoch_finished(result)
        clock.stop()


def _probed(task: Task, probe: Probe, progress: Progress, listener: Listener, clock: _Clock) -> EpochResult:
    """Fit the head and return what came of it as epoch 0, which no step belongs to."""
    loss, images = _fit_head(task, probe, progress, listener)
    clock.training()
    spent, progress.train_seconds = progress.train_seconds, 0.0
    metrics = _validated(task, progress, listener)
    clock.stop()
    return _added(task, progress, metrics, epoch=0, loss=loss, lr=0.0, samples_per_second=images / spent)


def _fit_head(task: Task, probe: Probe, progress: Progress, listener: Listener) -> tuple[float, int]:
    """Fit the head, and return its mean loss, which is checked, and to how many images."""
    with closing(announced(probe.batches, listener)) as batches:
        loss, images = probe.fit(batches, task.world)
    _check_loss(loss, "train", progress)
    return loss, images


def _validated(task: Task, progress: Progress, listener: Listener) -> Metrics | None:
    if task.validation is None:
        return None
    judged, record = task.judged, task.predictions
    with closing(announced(task.validation, listener, task.idling(judged))) as batches:
        metrics = evaluate(judged, batches, task.criterion, task.denominator, record, task.world)
    check_metrics(metrics, "validation", progress)
    return metrics


def announced(
    batches: EvaluationBatches, listener: Listener, idle: Callable[[], object] = lambda: None
) -> Generator[tuple[Tensor, Tensor], None, None]:
    """Yield this process's evaluation batches, telling *listener* before each, and where only others have one left.

    In that case *idle* is called.
    """
    mine = iter(batches)
    for _ in range(batches.rounds):
        listener.evaluation_batch()
        if (batch := next(mine, None)) is not None:
            yield batch
        else:
            idle()


def check_losses(task: Task, progress: Progress) -> None:
    """Raise if any loss of the current epoch was not finite; this waits for the device.

    Raises:
        NonFiniteLossError: Naming the first such step and its rate.
    """
    found = task.losses.first_non_finite()
    if found is None:
        return
    batch, value = found
    window = batch // task.training.accumulate
    raise NonFiniteLossError(
        epoch=progress.epoch + 1,
        batch=batch + 1,
        step=progress.epoch * task.training.steps + window + 1,
        lr=progress.lrs[window],
        value=value,
    )


def check_metrics(metrics: Metrics, split: str, progress: Progress) -> None:
    """Raise if an evaluation's loss is not a number: the last step ruined the weights.

    Raises:
        NonFiniteLossError: Naming that step and its rate.
    """
    _check_loss(metrics.loss, split, progress)


def _check_loss(loss: float, split: str, progress: Progress) -> None:
    if not math.isnan(loss):
        return
    lr = progress.lrs[-1] if progress.lrs else progress.results[-1].lr if progress.results else 0.0
    epoch = progress.epoch + bool(progress.lrs)
    raise NonFiniteLossError(epoch=epoch, batch=None, step=progress.step, lr=lr, value=loss, split=split)


class _Clock:
    """Adds the time that passes to the progress, whoever looks."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._last = time.perf_counter()

    def training(self) -> None:
        passed = self._lap()
        self._progress.train_seconds += passed
        self._progress.seconds += passed

    def stop(self) -> None:
        self._progress.seconds += self._lap()

    def _lap(self) -> float:
        now = time.perf_counter()
        passed, self._last = now - self._last, now
        return passed


def _between_steps(
    task: Task, progress: Progress, listener: Listener, clock: _Clock
) -> Generator[Iterable[Batch], None, None]:
    """Yield the epoch's windows that are left; what happens between two steps happens here."""
    left = task.windows_in(progress.epoch) - progress.position
    for _, window in zip(range(left), task.training.windows(progress.epoch, progress.position), strict=False):
        progress.lrs.append(task.updates.lr)
        if task.freezing is not None:  # before each step, since each epoch begins by putting all into training mode
            task.freezing.apply(progress.step)
        with ExitStack() as held:
            yield _composed(window, task, progress, held)
        progress.position += 1
        progress.step += not task.updates.skipped
        clock.training()
        listener.step_finished()
        clock.stop()


def _composed(window: Iterable[Batch], task: Task, progress: Progress, held: ExitStack) -> Iterable[Batch]:
    """Return a step's batches, cut into slices and scaled where that is wanted; what is begun ends with *held*."""
    if task.slices is not None:
        place = f"{progress.epoch}/{progress.position}"
        sizes = task.training.sizes(progress.position)
        window = held.enter_context(closing(task.slices.window(window, sizes, place)))
    return window if task.updates.scale is None else task.updates.scale.scaled(window)


def _close_epoch(task: Task, progress: Progress, metrics: Metrics | None) -> EpochResult:
    trained = task.training.samples_in(len(task.losses))
    result = _added(
        task,
        progress,
        metrics,
        epoch=progress.epoch + 1,
        loss=task.losses.mean(),
        lr=progress.lrs[-1],
        samples_per_second=trained / progress.train_seconds,
    )
    progress.epoch += 1
    progress.position = 0
    progress.train_seconds = 0.0
    progress.lrs.clear()
    task.losses.clear()
    return result


def _added(task: Task, progress: Progress, metrics: Metrics | None, **own: Any) -> EpochResult:
    """Add an epoch's result to the progress, and return it."""
    result = EpochResult(
        step=progress.step,
        val_loss=metrics.loss if metrics else None,
        val_accuracy=metrics.accuracy if metrics else None,
        val_balanced_accuracy=metrics.balanced_accuracy if metrics else None,
        seconds=progress.seconds,
        **own,
    )
    refitted = task.refit is not None and result.epoch == task.epochs
    if is_better(result, progress.best, task.select, or_equal=refitted):
        progress.best_epoch = result.epoch
    progress.results.append(result)
    return result


def is_better(result: EpochResult, best: EpochResult | None, select: str, *, or_equal: bool = False) -> bool:
    """Whether *result* validated better than *best*, by accuracy, balanced accuracy or loss; or as well.

    Without validation, or anything to compare with, the later one counts.
    """
    if best is None:
        return True
    sign = -1 if select == "loss" else 1
    measure = {"loss": "val_loss", "balanced": "val_balanced_accuracy"}.get(select, "val_accuracy")
    now, before = getattr(result, measure), getattr(best, measure)
    return now is None or before is None or sign * now > sign * before or (or_equal and now == before)


def _out_of_patience(task: Task, progress: Progress) -> bool:
    return task.patience is not None and progress.epoch - progress.best_epoch >= task.patience
