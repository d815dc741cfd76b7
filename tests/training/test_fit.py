"""From epoch to epoch."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from small_images import preparation, small_split
from torch import nn

from zoo.data import TrainingBatches
from zoo.training import fit as fit_module
from zoo.training.fit import Progress, Task, fit
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
