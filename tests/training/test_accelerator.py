"""On a GPU: nothing in the step waits for the device, and the numbers are the CPU's."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
import torch
from small_images import MEAN, STD, small_split
from torch import nn

import zoo
from zoo.data import Preparation, TrainingBatches, resident
from zoo.data.augmentation import Augmenter
from zoo.training.arithmetic import in_precision
from zoo.training.averaging import Average
from zoo.training.loop import train_epoch
from zoo.training.losses import LossRecord
from zoo.training.updates import Updates

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device on this machine")


def network() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten()]
    return nn.Sequential(*layers, nn.Dropout(0.2), nn.Linear(32, 3))


def without_waiting(windows: Iterator) -> Iterator:
    """Yield *windows*; from the second on, whatever waits for the device raises."""
    yield next(windows)
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield from windows
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_nothing_in_the_step_waits_for_the_device(precision, accumulate):
    """Batches, augmentation, forward, backward, clipping, optimizer, schedule and average only ever queue work."""
    device = torch.device("cuda")
    model = network().to(device)
    split = resident(small_split(96), device)
    prepare = Preparation([MEAN], [STD], device=device)

    def fetch(_, indices):
        images, labels = split.batch(indices)
        return prepare(images), labels

    augmentations = [zoo.create("augmentations", name) for name in ("shift", "erasing")]
    augmenter = Augmenter(augmentations, seed=0, num_samples=len(split), fetch=fetch)
    batches = TrainingBatches(split, 16, seed=0, prepare=prepare, accumulate=accumulate, augment=augmenter)
    optimizer = zoo.create("optimizers", "adamw", params=model.parameters())
    scheduler = zoo.create("schedulers", "one_cycle", optimizer=optimizer, total_steps=20, steps_per_epoch=6)
    updates = Updates(
        optimizer, scheduler, parameters=model.parameters(), clip_norm=1.0, average=Average(model, decay=0.9)
    )
    losses = LossRecord()
    criterion = zoo.create("criteria", "cross_entropy")
    forward = in_precision(model, precision, device)
    train_epoch(forward, without_waiting(iter(batches.windows(0))), criterion, updates, losses)
    assert losses.first_non_finite() is None
    assert len(losses) == 6


def test_a_step_on_the_gpu_is_the_cpu_s_step():
    """One fp32 step from the same weights and batch gives the same weights, to 1e-5."""
    weights = []
    for device in ("cpu", "cuda"):
        model = copy.deepcopy(network()).to(device)
        model[5].p = 0.0
        split = resident(small_split(16), device)
        batches = TrainingBatches(split, 16, seed=0, prepare=Preparation([MEAN], [STD], device=device))
        updates = Updates(torch.optim.SGD(model.parameters(), lr=0.1))
        losses = LossRecord()
        train_epoch(model, batches.windows(0), nn.CrossEntropyLoss(), updates, losses)
        weights.append({name: value.cpu() for name, value in model.state_dict().items()})
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, rtol=1e-5, atol=1e-5)
