"""The learning-rate schedulers of this plugin."""

from __future__ import annotations

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler


class RiseAndDecay(LRScheduler):
    """Raises each group's rate in even steps to its own, then lowers it in even steps to just above zero."""

    def __init__(self, optimizer: Optimizer, total_steps: int, rise_steps: int) -> None:
        self.total_steps, self.rise_steps = total_steps, rise_steps
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        """Return each group's rate for the step that comes next."""
        rising = (self.last_epoch + 1) / (self.rise_steps + 1)
        falling = (self.total_steps - self.last_epoch) / max(1, self.total_steps - self.rise_steps)
        factor = max(0.0, min(1.0, rising, falling))
        return [base * factor for base in self.base_lrs]


def penguin_decay(optimizer: Optimizer, *, total_steps: int, rise: float = 0.1) -> LRScheduler:
    """Build a schedule of a linear rise and a linear decay.

    Args:
        optimizer: Its groups' rates are the highest.
        total_steps: Optimizer steps of the whole run, at least 1.
        rise: Share of the run in which the rate rises, in [0, 1).

    Raises:
        ValueError: If *rise* is outside its range.
    """
    if not 0 <= rise < 1:
        raise ValueError(f"rise must be in [0, 1), not {rise!r}")
    return RiseAndDecay(optimizer, total_steps, int(rise * total_steps))
