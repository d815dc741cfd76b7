"""A training run from its first step to its summary: what is composed around the loop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

from torch import Tensor, nn

from zoo.config import Interval
from zoo.data import Split
from zoo.errors import DamagedError, Interrupted, Pruned, UsageError, ZooError, exit_code_of
from zoo.records.directory import RunDirectory
from zoo.records.epochs import EpochResult
from zoo.registry.entry import in_one_line
from zoo.reports.evaluations import keep_evaluation
from zoo.runs.evaluations import Measured, about_evaluation, document
from zoo.runs.facts import expects_to_json, facts_to_json
from zoo.runs.memory_short import cut, memory_short, slices_that_fit
from zoo.runs.parts import Parts
from zoo.runs.refitting import add_whole, fitted_to_all
from zoo.runs.reporting import Reporter
from zoo.runs.run import Run
from zoo.runs.signals import SIGNALS, StopRequests
from zoo.runs.state import capture, load_weights_at
from zoo.runs.summary import description, summary_of
from zoo.runs.task import evaluation_batches
from zoo.runs.together import refuse_odd_weights
from zoo.training.evaluation import Metrics, evaluate
from zoo.training.fit import Progress, announced, check_losses, check_metrics, fit
from zoo.training.fitting_batch import is_one_image_under_batch_norm, is_out_of_memory
from zoo.training.leash import leash
from zoo.training.predictions import PredictionRecord
from zoo.training.sharding import collecting


class Session:
    """One run while it is under way; it listens to the loop, and prints, saves and stops.

    Each process of a run has one. They go through the same points; the first one alone prints and writes.

    Args:
        directory: The run's, made and locked.
        parts: What it is made of.
        progress: How far the run is.
        reporter: Told what happens.
        requests: Asked between batches whether to stop.
    """

    def __init__(
        self,
        directory: RunDirectory,
        parts: Parts,
        progress: Progress,
        reporter: Reporter,
        requests: StopRequests,
    ) -> None:
        self.directory, self.parts, self.progress = directory, parts, progress
        self.reporter, self.requests = reporter, requests
        self.config, self.network, self.task, self.observers = parts.config, parts.network, parts.task, parts.observers
        config, task, self.world = parts.config, parts.task, parts.task.world
        if task.slices is not None:
            task.slices.wish = self._wishes
        self._interval = Interval.parse(config.train.checkpoint_every)
        self._saved = self._reached() if progress.step or progress.results else None
        self._saved_at = time.monotonic()
        self._save_failed = False
        self._best_predictions: tuple[int | None, Mapping[str, Tensor]] = (None, {})  # the epoch, and what was said
        self._logged = len(task.losses) // config.train.log_every if config.train.log_every else 0
        self.run = description(directory, config, parts.components, parts.images, parts.splits, parts.network, task)

    def train(self) -> Run:
        """Train to the end, evaluate the best epoch on the test set, and write the summary.

        Raises:
            Interrupted, Pruned: If a signal asked to stop, or the run's sweep; the state was saved.
            NonFiniteLossError: If a loss was not finite.
            ZooError: If the last state could not be saved.
        """
        try:
            self.world.first(lambda: self._write_files("running"))
            self.reporter.started(self.run, self.progress)
            self.observers.tell("run_started", run=self.run)
            with self.world.watching():
                self._ask_to_go_on()
                self._fit()
                summary, model = self._conclude()
        except BaseException as error:
            self._fail(error)
            raise
        self.observers.tell("run_finished", run=self.run, summary=summary)
        return Run(self.directory.path, self.config, summary, tuple(self.progress.results), model)

    def _fit(self) -> None:
        cuts = self.config.train.accumulate == "auto" and self.world.size == 1
        if cuts:
            self.save()  # what the run began with, to begin with again
        try:
            fit(self.task, self.progress, self)
            return
        except DamagedError as error:
            raise self._without(error) from error
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error) or self.world.size > 1:  # another process would wait meanwhile
                raise
        except ValueError as error:
            if not is_one_image_under_batch_norm(error):
                raise
            raise UsageError("batch norm cannot train on a batch of one image; give --batch-size 2 or more") from error
        # Not before the exception is gone, whose traceback holds the tensors of what failed.
        begun = self.progress.step > 0
        if cuts and self._saved is not None:
            slices = slices_that_fit(self.parts, begun=begun)
            raise cut(self.directory, self.parts, slices, self._saved[0], self.reporter)
        raise memory_short(self.parts, begun=begun)

    def _without(self, error: DamagedError) -> DamagedError:
        """Save, where an image could not be read, and return what is told of it."""
        # Between two steps; in the midst of one the model has seen a part of it, and other processes wait somewhere.
        whole = len(self.task.losses) == self.task.training.batches_in(self.progress.position)
        whole = whole and self.world.size == 1
        if whole:
            self.save(final=True)
        kept = f"stopped at step {self.progress.step}{' and saved' if whole else ''}"
        cure = f"{kept}; once that is mended, go on with: zoo train --resume {self.directory}"
        return DamagedError(f"{str(error).rstrip('.')}.\n{cure}")

    def step_finished(self) -> None:
        """Save, print and stop where it is time: called between two optimizer steps."""
        self.reporter.step(self.progress)
        if self.config.train.log_every:
            self._log_windows(self.config.train.log_every)
        if self._is_due():
            self.save()
        self._heed(self._requested())

    def evaluation_batch(self) -> None:
        """Stop where that was asked for: called before each batch of an evaluation."""
        self._heed(self.world.highest(self.requests.received or 0))

    def _requested(self) -> int:
        """Return the signal to heed after a step, 0 for none.

        Of several processes all heed the same, after the same step: what each had got came with the step's gradients.
        """
        slices = self.task.slices
        if self.world.size == 1 or slices is None:
            return self.requests.received or 0
        return next((number for number, wishes in zip(SIGNALS, slices.granted, strict=False) if wishes), 0)

    def _wishes(self) -> list[float]:
        """Tell the other processes of the signals that came, and the first one, whose clock counts, of saving."""
        return [*(float(self.requests.received == number) for number in SIGNALS), float(self._minutes_are_over())]

    def _heed(self, signal_number: int) -> None:
        if signal_number:
            self._stop(signal_number)

    def epoch_finished(self, result: EpochResult) -> None:
        """Write the epoch's row; save if it is time, or the epoch is the best so far, or the last."""
        self._logged = 0
        self.reporter.epoch(result, self.task.epochs)
        best = self.progress.best_epoch == result.epoch
        due = self._interval.unit == "epoch" and result.epoch % self._interval.amount == 0
        if best or due or result.epoch == self.task.epochs:
            self.save()
        else:
            self._guarded(lambda: self.directory.write_metrics(self.progress.results))
        self._keep_predictions(best)
        self.observers.tell("epoch_finished", run=self.run, epoch=vars(result))
        self._heed(self.world.highest(self.requests.received or 0))
        self._ask_to_go_on()

    def save(self, *, final: bool = False) -> None:
        """Save a checkpoint and the metrics. A full disk is told once, and fatal only where *final*.

        Raises:
            NonFiniteLossError: If a loss of this epoch was not finite: what it led to is not kept.
            ZooError: If the run's directory is gone, or this was the last chance, or a process has other weights.
        """
        if self._is_saved():
            return
        check_losses(self.task, self.progress)
        refuse_odd_weights(self.network.model, self.world, self.progress.step)
        shards = self.task.shards
        if shards is not None and not self.world.is_first:
            shards.lend(capture(self.task, self.progress, self.network)[0])
        if self._guarded(self._save, final=final):
            self._saved = self._reached()
        self._saved_at = time.monotonic()  # also where it failed: a full disk is not tried again at every step

    def _save(self) -> None:
        tensors, state = capture(self.task, self.progress, self.network)
        state["images"] = facts_to_json(self.parts.images)
        state["expects"] = expects_to_json(self.network.expects)
        state["config"] = self.config.to_dict()
        state["entries"] = self.parts.components.providers
        with collecting(self.task.shards, tensors) as whole:
            path = self.directory.checkpoints.save(self.progress.step, tensors=tensors, state=state, whole=whole)
        self.directory.checkpoints.prune(self._steps_to_keep())
        self.directory.write_metrics(self.progress.results)
        self._save_failed = False
        saved = {
            "directory": str(path),
            "step": self.progress.step,
            "epoch": self.progress.epoch,
            "best": self.progress.step == self._best_step(),
        }
        self.observers.tell("checkpoint_saved", run=self.run, checkpoint=saved)

    def _is_saved(self) -> bool:
        return self._saved == self._reached()

    def _reached(self) -> tuple[int, int, int]:
        """Return the step, the epoch and the number of results.

        The same step is saved twice where a run stopped before its epoch's evaluation, and where a head is fitted
        before the first step.
        """
        return self.progress.step, self.progress.epoch, len(self.progress.results)

    def _guarded(self, write: Callable[[], None], *, final: bool = False) -> bool:
        """Write in the first process, and tell all whether it was written."""
        return self.world.first(lambda: self._written(write, final=final))

    def _written(self, write: Callable[[], None], *, final: bool = False) -> bool:
        """Write, and go on where the disk refuses, unless it is the run's last save."""
        try:
            write()
            return True
        except OSError as error:
            if not self.directory.path.is_dir():
                raise ZooError(f"the run directory {self.directory} was removed while the run wrote to it") from error
            what = in_one_line(error)
            if final:
                raise ZooError(
                    f"the run's last state could not be saved in {self.directory}: {what}. "
                    "The last good checkpoint is kept; make room and run the same command again."
                ) from error
            if not self._save_failed:
                self.reporter.notice(
                    f"could not save at step {self.progress.step}: {what}; trying again at the next one"
                )
            self._save_failed = True
            return False

    def _best_step(self) -> int | None:
        return self.progress.best.step if self.progress.best else None

    def _steps_to_keep(self) -> set[int]:
        """The last two checkpoints and the best."""
        newest = self.directory.checkpoints.steps()[-2:]
        best = self._best_step()
        return {*newest, *(() if best is None else (best,))}

    def _is_due(self) -> bool:
        if self._interval.unit == "steps":
            if self.task.updates.skipped:
                return False  # as many steps as before, of which a checkpoint may tell
            return self.progress.step % self._interval.amount == 0
        slices = self.task.slices
        if self.world.size > 1 and slices is not None:
            return bool(slices.granted[-1])
        return self._minutes_are_over()

    def _minutes_are_over(self) -> bool:
        minutes = self._interval.amount if self._interval.unit == "min" else math.inf
        return self.world.is_first and time.monotonic() - self._saved_at >= 60 * minutes

    def _log_windows(self, every: int) -> None:
        """Print the mean of each complete stretch of *every* batches, and of the shorter one that ends an epoch."""
        batches = len(self.task.losses)
        ends_epoch = self.progress.position == self.task.windows_in(self.progress.epoch)
        while self._logged * every < batches and (ends_epoch or (self._logged + 1) * every <= batches):
            start = self._logged * every
            stop = min(start + every, batches)
            check_losses(self.task, self.progress)
            self.reporter.window(self.progress.epoch + 1, stop, self.task.losses.mean(start, stop))
            self._logged += 1

    def _stop(self, signal_number: int) -> None:
        self.save(final=True)
        raise Interrupted(
            f"stopped at step {self.progress.step} and saved; go on with: zoo train --resume {self.directory}",
            signal_number,
        )

    def _ask_to_go_on(self) -> None:
        """In a trial of a sweep that prunes, wait until the sweep has looked at the epochs so far."""
        held, epoch = leash(), self.progress.epoch
        if held is None or self.progress.position or epoch >= self.task.epochs or self._save_failed:
            return
        if not held.goes_on(epoch, lambda: self._heed(self.requests.received or 0)):
            self.save(final=True)
            raise Pruned(f"pruned after epoch {epoch} and saved; go on with: zoo train --resume {self.directory}")

    def _conclude(self) -> tuple[dict[str, Any], nn.Module]:
        """Evaluate the best epoch's weights on the test set, which nothing has read until here."""
        self.save(final=True)
        average = self.task.updates.average
        model = average.module if average is not None else self.network.model
        self._load_best(model, "average" if average is not None else "model")
        validation = self._validated(model)
        images = fitted_to_all(self.parts, model, self.progress, self)
        if images is not None:
            self._guarded(lambda: add_whole(self.directory, self._best_result(), model), final=True)
            self.reporter.refitted(images)
        metrics = self._evaluate_all(model, validation)
        summary = summary_of(self.run, self.progress, "finished", metrics, images)
        self._guarded(lambda: self.directory.write_summary(summary), final=True)
        shards = self.task.shards
        return summary, (model if shards is None else shards.whole_model(model)).eval()

    def _load_best(self, model: nn.Module, name: str) -> None:
        """Put the best epoch's weights into *model*; where their checkpoint was damaged since, the last ones stay."""
        best_step = self._best_step()
        if best_step is None or best_step == self.progress.step:
            return
        sharded = self.task.shards is not None
        if damage := load_weights_at(self.directory.checkpoints, best_step, name, model, self.world, sharded=sharded):
            self.reporter.notice(f"{damage}: it was the best epoch's, so the last epoch's weights are tested instead")
            self.progress.best_epoch = self.progress.epoch
            self._saved = None
            self.save(final=True)

    def _keep_predictions(self, best: bool) -> None:
        """Keep what the model said of the validation images in the best epoch so far."""
        if self.task.predictions is None:
            return
        taken = self.task.predictions.taken()
        if best:
            self._best_predictions = (self.progress.best_epoch, taken)

    def _validated(self, model: nn.Module) -> Measured | None:
        """Return what the best epoch's weights say of the validation images."""
        result, held_out = self._best_result(), self.parts.splits.validation
        if held_out is None:
            return None
        epoch, predictions = self._best_predictions
        if epoch == self.progress.best_epoch and result.val_loss is not None:
            return Measured(held_out, result.val_loss, predictions)
        return self._evaluate(model, "validation", held_out)[1]  # the run was interrupted since, and that is lost

    def _evaluate_all(self, model: nn.Module, validation: Measured | None) -> Metrics:
        """Evaluate the best weights on the test images; keep that, and what was said of the validation images."""
        metrics, test = self._evaluate(model, "test", self.parts.splits.test)
        self.world.first(lambda: self._keep_evaluation("test", test))
        if validation is not None:
            self.world.first(lambda: self._keep_evaluation("validation", validation))
        return metrics

    def _evaluate(self, model: nn.Module, name: str, split: Split) -> tuple[Metrics, Measured]:
        self.reporter.evaluating(name)
        batches = evaluation_batches(split, self.config.train, self.network, self.world)
        forward, task = self.network.around(model), self.task
        record = PredictionRecord(len(split), self.parts.images.num_classes)
        try:
            with closing(announced(batches, self, task.idling(forward))) as mine:
                metrics = evaluate(forward, mine, task.criterion, task.denominator, record, self.world)
        except DamagedError as error:
            raise self._without(error) from error
        check_metrics(metrics, name, self.progress)
        return metrics, Measured(split, metrics.loss, record.taken())

    def _best_result(self) -> EpochResult:
        if self.progress.best is None:
            raise ZooError(f"{self.directory} has no epoch to evaluate")
        return self.progress.best

    def _keep_evaluation(self, split: str, measured: Measured) -> None:
        """Keep an evaluation, and go on where the disk refuses: it can be made again."""
        result = self._best_result()
        try:
            digest = self.directory.checkpoints.digest_at(result.step)
            about = about_evaluation(self.config, self.network, split, "best", result.epoch, result.step, digest)
            keep_evaluation(self.directory.path, f"{split}-best", *document(measured, self.parts.images, about))
        except (OSError, DamagedError) as error:
            what = in_one_line(error) if isinstance(error, OSError) else str(error)
            self.reporter.notice(f"the {split} predictions are not kept: {what}; 'zoo evaluate' makes them again")

    def _fail(self, error: BaseException) -> None:
        """Leave a summary that says what happened, where that is still possible."""
        stopped = isinstance(error, Interrupted | KeyboardInterrupt)
        status = "pruned" if isinstance(error, Pruned) else "interrupted" if stopped else "failed"
        if self.world.is_first and self.directory.path.is_dir():  # alone: the others may be gone
            self._written(lambda: self.directory.write_summary(summary_of(self.run, self.progress, status)))
        data = {"type": type(error).__name__, "message": str(error), "exit_code": exit_code_of(error)}
        self.observers.tell("run_failed", run=self.run, error=data)

    def _write_files(self, status: str) -> None:
        try:
            self.directory.write_metrics(self.progress.results)
            self.directory.write_summary(summary_of(self.run, self.progress, status))
        except OSError as error:
            raise UsageError(f"cannot write to {self.directory}: {in_one_line(error)}; give another --out") from error
