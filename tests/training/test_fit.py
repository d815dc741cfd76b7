"""From epoch to epoch."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from small_images import preparation, small_split
from torch import nn

from zoo.data import TrainingBatches
from zoo.records.epochs import EpochResult
from zoo.training import fit as fit_module
from zoo.training.fit import Progress, Task, fit, is_better
from zoo.training.losses import LossRecord
from zoo.training.updates import Updates


class Quiet:
    """A listener that does nothing."""

    def step_finished(self) -> None:
        """Go on."""

    def evaluation_batch(self) -> None:
        """Go on."""

    def epoch_finished(self, result) -> None:
        """Go on."""


def validated(loss: float | None, accuracy: float | None, balanced: float | None) -> EpochResult:
    """Return an epoch with these measures."""
    measures = {"val_loss": loss, "val_accuracy": accuracy, "val_balanced_accuracy": balanced}
    return EpochResult(epoch=1, step=1, loss=1.0, lr=0.1, samples_per_second=1.0, seconds=1.0, **measures)


def test_what_is_selected_decides_which_epoch_is_better():
    """Each measure by itself, the earlier of equals, and anything where there was nothing yet."""
    before, now = validated(0.5, 0.8, 0.6), validated(0.6, 0.7, 0.65)
    assert [is_better(now, before, select) for select in ("accuracy", "balanced", "loss")] == [False, True, False]
    assert [is_better(before, now, select) for select in ("accuracy", "balanced", "loss")] == [True, False, True]
    assert not any(is_better(now, now, select) for select in ("accuracy", "balanced", "loss"))
    assert all(is_better(now, now, select, or_equal=True) for select in ("accuracy", "balanced", "loss"))
    assert not is_better(before, now, "balanced", or_equal=True)
    assert is_better(now, None, "loss")


def test_without_validation_the_later_epoch_is_the_better():
    """Whatever is selected: there is nothing to select by."""
    blank = validated(None, None, None)
    assert all(is_better(blank, blank, select) for select in ("accuracy", "balanced", "loss"))


def test_images_a_second_count_what_the_device_had_left_to_do(monkeypatch):
    """A GPU's steps are only queued when the loop ends; they are done when their losses can be read."""
    clock = SimpleNamespace(now=0.0)

    class Slow(LossRecord):
        def first_non_finite(self):
            clock.now += 2.0
            return super().first_non_finite()

    monkeypatch.setattr(fit_module, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    training = TrainingBatches(small_split(32), 8, seed=0, prepare=preparation())
    updates = Updates(torch.optim.SGD(model.parameters(), lr=0.1))
    task = Task(model, model, nn.CrossEntropyLoss(), len, updates, training, None, Slow(), steps=training.steps)
    progress = Progress()
    fit(task, progress, Quiet())
    assert progress.results[0].samples_per_second == 32 / 2.0
    assert progress.seconds == 2.0
