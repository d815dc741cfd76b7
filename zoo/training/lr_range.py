"""A learning-rate range test: what the loss does while the rate rises from far too low to far too high."""

from __future__ import annotations

import dataclasses
import math
from contextlib import suppress
from dataclasses import dataclass

from torch.optim.lr_scheduler import LambdaLR

from zoo.records.epochs import EpochResult
from zoo.training.fit import Progress, Task, fit

_NEAR = 4  # steps, at which a neighbour no longer counts in a smoothed loss
_LOST = 4.0  # times the lowest loss, at which there is nothing more to see


@dataclass(frozen=True)
class RangeTest:
    """What a range test saw.

    Attributes:
        rates: Of each step, rising.
        losses: Of each step's images, before it.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]

    @property
    def smoothed(self) -> tuple[float, ...]:
        """The losses as averages over the few steps around each, the nearest weighing most.

        An average over the steps before would lag behind, and see the lowest loss at too high a rate.
        """
        steps = range(len(self.losses))
        near = [[other for other in steps if abs(other - step) < _NEAR] for step in steps]
        weights = [[_NEAR - abs(other - step) for other in others] for step, others in zip(steps, near, strict=True)]
        return tuple(
            sum(weight * self.losses[other] for weight, other in zip(row, others, strict=True)) / sum(row)
            for row, others in zip(weights, near, strict=True)
        )

    @property
    def suggestion(self) -> float:
        """A tenth of the highest rate at which the smoothed loss is still low.

        Low is within a twentieth of the way that it fell, or a fiftieth of what it began at: where tuning begins at a
        fitted head, it hardly falls, and the number says where it begins to rise.
        """
        smoothed = self.smoothed
        least, first = min(smoothed), smoothed[0]
        low = least + max((first - least) / 20, abs(first) / 50)
        return self.rates[max(step for step, loss in enumerate(smoothed) if loss <= low)] / 10


def range_test(task: Task, lowest: float, highest: float) -> RangeTest:
    """Take the task's steps in its own loop, each at a higher rate than the one before.

    Args:
        task: It is used up: its model and its optimizer are ruined at the end. It has no scheduler.
        lowest: The first step's rate, the highest of any parameter group; the groups keep their proportions.
        highest: The last step's; the test ends before where the loss is lost.

    Returns:
        Rates and losses of at least one step.

    Raises:
        NonFiniteLossError: If the first loss is not finite.
    """
    growth = (highest / lowest) ** (1 / max(1, task.steps - 1))
    begin = lowest / task.updates.lr
    task.updates.scheduler = LambdaLR(task.updates.optimizer, lambda step: begin * growth**step)
    progress = Progress()
    watch = _Watch(task, progress)
    with suppress(_LossLost):
        # Nothing that comes after a step, which is of no use here: the weights may be ruined by then.
        steps_alone = dataclasses.replace(task, validation=None, predictions=None, patience=None, refit=None)
        fit(steps_alone, progress, watch)
    return RangeTest(tuple(watch.rates), tuple(watch.losses))


class _LossLost(Exception):  # noqa: N818 - it is how a test ends
    pass


class _Watch:
    """Reads each step's loss, and ends the test where it is lost."""

    def __init__(self, task: Task, progress: Progress) -> None:
        self._task, self._progress = task, progress
        self.rates: list[float] = []
        self.losses: list[float] = []

    def step_finished(self) -> None:
        """Keep the step's rate and its images' mean loss."""
        first = self._task.training.batches_in(self._progress.position - 1)
        loss = self._task.losses.mean(first)
        if not math.isfinite(loss) and self.losses:
            raise _LossLost
        self.rates.append(self._progress.lrs[-1])
        self.losses.append(loss)
        smoothed = RangeTest((), tuple(self.losses)).smoothed
        if smoothed[-1] > _LOST * min(smoothed):
            raise _LossLost

    def evaluation_batch(self) -> None:
        """Nothing is stopped at a batch of the probe's."""

    def epoch_finished(self, result: EpochResult) -> None:
        """Nothing is kept of an epoch."""
