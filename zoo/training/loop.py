"""The one loop. Every model, whichever plugin it comes from, is trained by the ten lines below.

They are the textbook's. Everything else is composed around them: what happens between two steps wraps the windows,
what an optimizer step consists of wraps the optimizer, and how the model computes wraps the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from torch import Tensor, nn

from zoo.data import Batch


class Update(Protocol):
    """The two calls that the loop makes on an optimizer."""

    def zero_grad(self) -> None:
        """Forget the gradients of the step before."""

    def step(self) -> None:
        """Change the parameters."""


class RunningLoss(Protocol):
    """Where the loop leaves each batch's loss."""

    def add(self, loss: Tensor, targets: Tensor) -> None:
        """Take a batch's mean loss, a scalar tensor, without waiting for the device."""


def train_epoch(
    model: nn.Module,
    windows: Iterable[Iterable[Batch]],
    criterion: Callable[[Tensor, Tensor], Tensor],
    optimizer: Update,
    running_loss: RunningLoss,
) -> None:
    """Train *model* on one pass over the windows.

    Args:
        model: Maps inputs (N, C, H, W) to logits (N, K). It is left in training mode.
        windows: The optimizer steps of the epoch; each is one batch, or several whose gradients accumulate.
        criterion: Maps logits (N, K) and targets (N,) or (N, K) to the mean loss over the batch.
        optimizer: Steps once a window.
        running_loss: Is given each batch's loss.
    """
    model.train()
    for window in windows:
        optimizer.zero_grad()
        for inputs, targets, share in window:
            logits = model(inputs)
            loss = criterion(logits, targets)
            loss.backward(share)  # type: ignore[no-untyped-call]  # share is None unless gradients accumulate
            running_loss.add(loss.detach(), targets)
        optimizer.step()
