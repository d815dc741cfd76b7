"""What all learning-rate schedules share: each is a pure function of the step's number.

So a schedule that goes on from a checkpoint takes the same values to the bit, nothing accumulates, and stepping past
the end stays at the end. All are stepped once an optimizer step; lengths and milestones are in epochs or parts of one.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler


class Schedule(LRScheduler):
    """Multiplies each group's own rate by one factor.

    Args:
        optimizer: Its groups' rates at this moment are what is multiplied.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        super().__init__(optimizer)

    @abstractmethod
    def factor(self, step: int) -> float:
        """Return the factor of the optimizer step *step*, from 0."""

    def get_lr(self) -> list[float | Tensor]:
        """Return the rate of each group for the step to come."""
        factor = self.factor(self.last_epoch)  # torch's name; it counts steps here
        return [base * factor for base in self.base_lrs]

    def state_dict(self) -> dict[str, Any]:
        """Return what changes while training, as plain numbers and lists; the rest is the builder's options."""
        return {
            "last_epoch": self.last_epoch,
            "step_count": self._step_count,
            "base_lrs": [float(base) for base in self.base_lrs],
            "last_lr": [float(rate) for rate in self._last_lr],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a state that `state_dict` returned; the optimizer's own state holds the rates themselves."""
        self.last_epoch = state_dict["last_epoch"]
        self._step_count = state_dict["step_count"]
        self.base_lrs = list(state_dict["base_lrs"])
        self._last_lr = list(state_dict["last_lr"])


def cosine_way(start: float, end: float, share: float) -> float:
    """Return the point at *share*, in [0, 1], of half a cosine from *start* to *end*."""
    return end + (start - end) / 2 * (math.cos(math.pi * share) + 1)


def straight_way(start: float, end: float, share: float) -> float:
    """Return the point at *share*, in [0, 1], of a straight line from *start* to *end*."""
    return start + (end - start) * share
