"""Every optimizer, criterion and schedule of the torch plugin lowers the loss on real digits, through the one loop."""

from __future__ import annotations

import functools

import pytest
import torch

import zoo
from zoo.data import Preparation, TensorImages, TrainingBatches
from zoo.training.loop import train_epoch
from zoo.training.losses import LossRecord
from zoo.training.parameters import parameter_groups
from zoo.training.updates import Updates

EPOCHS, BATCH = 12, 16


def names(kind: str) -> list[str]:
    """Return the full names of the torch plugin's entries of *kind*."""
    return [entry.full_name for entry in zoo.entries(kind) if entry.plugin == "torch"]


@functools.cache
def digits() -> TensorImages:
    """Return the first 64 of MNIST's training images."""
    return TensorImages(*zoo.create("datasets", "mnist/mnist").train.batch(torch.arange(64)))


def epoch_losses(optimizer: str, criterion: str, scheduler: str) -> list[float]:
    """Train a small perceptron on the digits and return the mean loss of each epoch."""
    torch.manual_seed(0)
    model = zoo.create("models", "mlp/mlp", num_classes=10, in_channels=1, image_size=(28, 28), widths=[64], p=0.1)
    judge = zoo.create("criteria", criterion)
    over = zoo.create("optimizers", optimizer, params=parameter_groups(model))
    batches = TrainingBatches(digits(), BATCH, seed=0, prepare=Preparation([0.1307], [0.3081]))
    facts = {"total_steps": EPOCHS * batches.steps, "steps_per_epoch": batches.steps}
    schedule = zoo.create("schedulers", scheduler, optimizer=over, **facts)
    updates = Updates(over, scheduler=schedule, parameters=model.parameters())
    losses = LossRecord()
    means = []
    for epoch in range(EPOCHS):
        train_epoch(model, batches.windows(epoch), judge, updates, losses)
        means.append(losses.mean())
        losses.clear()
    return means


@pytest.mark.parametrize("optimizer", names("optimizers"))
def test_every_optimizer_lowers_the_loss_at_its_own_rate(optimizer):
    """Under the default schedule, from which its rate starts low and ends at next to nothing."""
    losses = epoch_losses(optimizer, "torch/cross_entropy", "torch/one_cycle")
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("criterion", names("criteria"))
def test_every_criterion_is_lowered(criterion):
    """By the default optimizer and schedule."""
    losses = epoch_losses("torch/adamw", criterion, "torch/one_cycle")
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("scheduler", names("schedulers"))
def test_every_schedule_lets_the_loss_fall(scheduler):
    """With the default optimizer and criterion."""
    losses = epoch_losses("torch/adamw", "torch/cross_entropy", scheduler)
    assert losses[-1] < 0.5 * losses[0]
