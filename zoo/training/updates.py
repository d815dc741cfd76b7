"""What one optimizer step consists of: clip the gradients, step, move the rate, average the weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from zoo.training.averaging import Average
from zoo.training.loss_scale import LossScale


class Updates:
    """The optimizer as the loop sees it.

    Args:
        optimizer: Steps once for each call of `step`.
        scheduler: Moves the rate after each step; None for a constant one.
        parameters: Those whose gradients are clipped.
        clip_norm: Largest Euclidean norm of all gradients together, above 0; None for no limit.
        average: Takes in the weights after each step; None for none.
        gather: Called first in each step: puts the gradients together that the step is made of; None where they stand.
        scale: What the loss was multiplied by; None where it was not.

    Attributes:
        skipped: Whether the last step was none, because its gradients were not finite: nothing moved.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        scheduler: LRScheduler | None = None,
        *,
        parameters: Iterable[nn.Parameter] = (),
        clip_norm: float | None = None,
        average: Average | None = None,
        gather: Callable[[], None] | None = None,
        scale: LossScale | None = None,
    ) -> None:
        self.optimizer = optimizer
        self.scheduler = scheduler
        self._parameters = list(parameters)
        self._clip_norm = clip_norm
        self.average = average
        self._gather = gather
        self.scale = scale
        self.skipped = False

    @property
    def lr(self) -> float:
        """The rate of the next step, the highest of any parameter group."""
        return max(float(group["lr"]) for group in self.optimizer.param_groups)

    def zero_grad(self) -> None:
        """Forget the gradients of the step before."""
        self.optimizer.zero_grad()

    def step(self) -> None:
        """Change the parameters by the gradients that stand."""
        if self._gather is not None:
            self._gather()
        if self.scale is not None:
            self.skipped = not self.scale.unscale()
            if self.skipped:
                return
        if self._clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self._parameters, self._clip_norm)
        self.optimizer.step()
        if self.scheduler is not None:
            self.scheduler.step()
        if self.average is not None:
            self.average.update()
