"""Schedules that multiply the rate by a factor now and then, or a little all the time."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch.optim import Optimizer

from zoo_torch.checks import check_above
from zoo_torch.schedule import Schedule


class step(Schedule):  # noqa: N801 - a registered name equals its builder's
    """Times a factor every so many epochs.

    Args:
        optimizer: Its groups' rates are the first ones.
        steps_per_epoch: Optimizer steps of an epoch, at least 1.
        step_size: Epochs from one change to the next, above 0.
        gamma: The factor, above 0.

    Raises:
        ValueError: If an option is outside its range.
    """

    def __init__(
        self, optimizer: Optimizer, *, steps_per_epoch: int, step_size: float = 1.0, gamma: float = 0.7
    ) -> None:
        check_above(0, step_size=step_size, gamma=gamma)
        self._every, self._gamma = max(round(step_size * steps_per_epoch), 1), gamma
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        """Return the factor of the optimizer step *step*, from 0."""
        return self._gamma ** (step // self._every)


class multi_step(Schedule):  # noqa: N801 - a registered name equals its builder's
    """Times a factor at each of the given epochs.

    Args:
        optimizer: Its groups' rates are the first ones.
        total_steps: Optimizer steps of the whole run, at least 1.
        steps_per_epoch: Optimizer steps of an epoch, at least 1.
        milestones: Epochs after which the rate changes, each above 0. Left out, half and three quarters of the run.
        gamma: The factor, above 0.

    Raises:
        ValueError: If an option is outside its range.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        total_steps: int,
        steps_per_epoch: int,
        milestones: Sequence[float] | None = None,
        gamma: float = 0.1,
    ) -> None:
        check_above(0, gamma=gamma)
        if milestones is None:
            milestones = [share * total_steps / steps_per_epoch for share in (0.5, 0.75)]
        if not all(0 < milestone < math.inf for milestone in milestones):
            raise ValueError(f"milestones must be epochs above 0, not {list(milestones)!r}")
        self._steps = [round(milestone * steps_per_epoch) for milestone in milestones]
        self._gamma = gamma
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        """Return the factor of the optimizer step *step*, from 0."""
        passed = sum(milestone <= step for milestone in self._steps)
        return float(self._gamma**passed)


class exponential(Schedule):  # noqa: N801 - a registered name equals its builder's
    """Times a factor an epoch, a little at each step.

    Args:
        optimizer: Its groups' rates are the first ones.
        steps_per_epoch: Optimizer steps of an epoch, at least 1.
        gamma: The factor of a whole epoch, above 0.

    Raises:
        ValueError: If an option is outside its range.
    """

    def __init__(self, optimizer: Optimizer, *, steps_per_epoch: int, gamma: float = 0.7) -> None:
        check_above(0, gamma=gamma)
        self._gamma, self._steps_per_epoch = gamma, steps_per_epoch
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        """Return the factor of the optimizer step *step*, from 0."""
        return math.pow(self._gamma, step / self._steps_per_epoch)
