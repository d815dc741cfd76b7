"""A small network and its training in slices, without a run around it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

import torch
from small_images import preparation, small_split
from torch import nn

from zoo.data import Batch, TrainingBatches
from zoo.training.freezing import Freezing
from zoo.training.loop import train_epoch
from zoo.training.losses import LossRecord
from zoo.training.slices import Slices
from zoo.training.updates import Updates
from zoo.training.world import ALONE, World


def network(seed: int = 0, *, norm: bool = True, p: float = 0.5) -> nn.Sequential:
    """Return a perceptron for 8 by 8 grey images and three classes."""
    torch.manual_seed(seed)
    middle = [nn.BatchNorm1d(16) if norm else nn.Identity(), nn.ReLU(), nn.Dropout(p)]
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), *middle, nn.Linear(16, 3))


def train(
    model: nn.Module,
    *,
    count: int = 50,
    slices: int = 4,
    accumulate: int = 1,
    criterion: Any = None,
    world: World = ALONE,
    fast: bool = False,
    forward: nn.Module | None = None,
    frozen: Collection[str] = (),
) -> LossRecord:
    """Train for an epoch in batches of 16, and return the losses.

    Args:
        model: Whose weights change.
        count: Of images.
        slices: Of a batch.
        accumulate: Batches of a step.
        criterion: Cross entropy by default.
        world: The processes, of which this is one.
        fast: As `Slices` takes it.
        forward: What runs the model, where that is something else.
        frozen: The parameters that do not move in the first two steps.
    """
    criterion = criterion or nn.CrossEntropyLoss()
    denominator = getattr(criterion, "denominator", len)
    batches = TrainingBatches(
        small_split(count),
        16,
        seed=0,
        prepare=preparation(),
        accumulate=accumulate,
        slices=slices,
        process=(world.rank, world.size),
        denominator=denominator,
    )
    losses = LossRecord(denominator)
    cut = Slices(model, losses, world, 0, slices * accumulate, fast=fast)
    updates = Updates(torch.optim.SGD(model.parameters(), lr=0.1), gather=cut.gather)
    freezing = Freezing(model, frozen, until=2)

    def windows() -> Iterator[Iterable[Batch]]:
        for number, window in enumerate(batches.windows(0)):
            freezing.apply(number)
            yield cut.window(window, batches.sizes(number), f"0/{number}")

    train_epoch(forward or model, windows(), criterion, updates, cut)
    return losses


def same(one: nn.Module, other: nn.Module) -> bool:
    """Say whether two models have the same bits."""
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))
