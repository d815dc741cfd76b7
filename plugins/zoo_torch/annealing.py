"""Schedules that lead over the whole run: up to the rate, and down from it."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from zoo_torch.checks import check_at_least, check_fraction
from zoo_torch.schedule import Schedule, cosine_way, straight_way


class one_cycle(Schedule):  # noqa: N801 - a registered name equals its builder's
    """Up to the rate, then down to next to nothing, with momentum the other way where the optimizer has it.

    Args:
        optimizer: Its groups' rates are the highest that are reached.
        total_steps: Optimizer steps of the whole run, at least 1.
        pct_start: Share of the run that goes up, in [0, 1].
        anneal_strategy: The way between the extremes, ``"cos"`` or ``"linear"``.
        div_factor: The highest rate divided by the first, at least 1.
        final_div_factor: The first rate divided by the last, at least 1.
        cycle_momentum: Whether momentum, or the first of betas, goes from its highest to its lowest and back.
            A group that has none, or 0, is left as it is.
        base_momentum: The lowest momentum, in [0, 1).
        max_momentum: The highest momentum, in [0, 1).

    Raises:
        ValueError: If an option is outside its range.

    Source: Smith and Topin 2018, with the numbers of `torch.optim.lr_scheduler.OneCycleLR`. Changed: runs too short
    to go up begin at the highest rate, where torch divides by 0.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        total_steps: int,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        cycle_momentum: bool = True,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
    ) -> None:
        check_at_least(1, div_factor=div_factor, final_div_factor=final_div_factor)
        check_fraction(base_momentum=base_momentum, max_momentum=max_momentum)
        if not 0 <= pct_start <= 1:
            raise ValueError(f"pct_start must be in [0, 1], not {pct_start!r}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be 'cos' or 'linear', not {anneal_strategy!r}")
        self._peak, self._end = max(pct_start * total_steps - 1, 0.0), total_steps - 1
        self._way = cosine_way if anneal_strategy == "cos" else straight_way
        self._first, self._last = 1 / div_factor, 1 / div_factor / final_div_factor
        self._momenta = (max_momentum, base_momentum)
        self._cycled = [cycle_momentum and _has_momentum(group) for group in optimizer.param_groups]
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        """Return the factor of the optimizer step *step*, from 0."""
        return self._between(step, self._first, 1.0, self._last)

    def get_lr(self) -> list[float | Tensor]:
        """Return the rate of each group for the step to come, and set its momentum."""
        high, low = self._momenta
        momentum = self._between(self.last_epoch, high, low, high)
        # Loading a state replaces the groups, so that they are looked up anew each time.
        for group, cycled in zip(self.optimizer.param_groups, self._cycled, strict=True):
            if cycled:
                _set_momentum(group, momentum)
        return super().get_lr()

    def _between(self, step: int, first: float, peak: float, last: float) -> float:
        if step <= self._peak and self._peak > 0:
            return self._way(first, peak, step / self._peak)
        if self._end <= self._peak:
            return peak
        return self._way(peak, last, min((step - self._peak) / (self._end - self._peak), 1.0))


class Warmed(Schedule):
    """A schedule that begins with a straight way up to the rate.

    Args:
        optimizer: Its groups' rates are what the factor multiplies.
        total_steps: Optimizer steps of the whole run, at least 1.
        steps_per_epoch: Optimizer steps of an epoch, at least 1.
        warmup: Share of the run that goes up, in [0, 1).
        warmup_epochs: The same in epochs, at least 0 and below the run's; it replaces *warmup*.

    Raises:
        ValueError: If an option is outside its range.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        total_steps: int,
        steps_per_epoch: int,
        warmup: float,
        warmup_epochs: float | None,
    ) -> None:
        check_fraction(warmup=warmup)
        if warmup_epochs is not None:
            check_at_least(0, warmup_epochs=warmup_epochs)
            warmup = warmup_epochs * steps_per_epoch / total_steps
            if warmup >= 1:
                raise ValueError(
                    f"warmup_epochs must be below the run's {total_steps / steps_per_epoch:g}, not {warmup_epochs!r}"
                )
        self._warmup = min(round(warmup * total_steps), total_steps - 1)
        self._total = total_steps
        super().__init__(optimizer)

    @abstractmethod
    def after_warmup(self, progress: float) -> float:
        """Return the factor at *progress*, the share in [0, 1] of the steps after the warm-up that are done."""

    def factor(self, step: int) -> float:
        """Return the factor of the optimizer step *step*, from 0."""
        if step < self._warmup:
            return (step + 1) / (self._warmup + 1)  # from above 0: the first step is to do something
        return self.after_warmup(min((step - self._warmup) / (self._total - self._warmup), 1.0))


class cosine(Warmed):  # noqa: N801 - a registered name equals its builder's
    """Warm-up, then half a cosine down.

    Args:
        optimizer: Its groups' rates are the highest that are reached.
        total_steps: Optimizer steps of the whole run, at least 1.
        steps_per_epoch: Optimizer steps of an epoch, at least 1.
        warmup: Share of the run that goes up, in [0, 1).
        warmup_epochs: The same in epochs, at least 0 and below the run's; it replaces *warmup*.
        end_factor: The last rate divided by the highest, in [0, 1].

    Raises:
        ValueError: If an option is outside its range.

    Source: Loshchilov and Hutter 2017, without restarts; warm-up: Goyal et al. 2017.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        total_steps: int,
        steps_per_epoch: int,
        warmup: float = 0.0,
        warmup_epochs: float | None = None,
        end_factor: float = 0.0,
    ) -> None:
        self._end_factor = _share("end_factor", end_factor)
        super().__init__(
            optimizer,
            total_steps=total_steps,
            steps_per_epoch=steps_per_epoch,
            warmup=warmup,
            warmup_epochs=warmup_epochs,
        )

    def after_warmup(self, progress: float) -> float:
        """Return the factor at *progress*, in [0, 1]."""
        return cosine_way(1.0, self._end_factor, progress)


class linear(Warmed):  # noqa: N801 - a registered name equals its builder's
    """Warm-up, then a straight line down.

    Args:
        optimizer: Its groups' rates are the highest that are reached.
        total_steps: Optimizer steps of the whole run, at least 1.
        steps_per_epoch: Optimizer steps of an epoch, at least 1.
        warmup: Share of the run that goes up, in [0, 1).
        warmup_epochs: The same in epochs, at least 0 and below the run's; it replaces *warmup*.
        end_factor: The last rate divided by the highest, in [0, 1].

    Raises:
        ValueError: If an option is outside its range.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        total_steps: int,
        steps_per_epoch: int,
        warmup: float = 0.0,
        warmup_epochs: float | None = None,
        end_factor: float = 0.0,
    ) -> None:
        self._end_factor = _share("end_factor", end_factor)
        super().__init__(
            optimizer,
            total_steps=total_steps,
            steps_per_epoch=steps_per_epoch,
            warmup=warmup,
            warmup_epochs=warmup_epochs,
        )

    def after_warmup(self, progress: float) -> float:
        """Return the factor at *progress*, in [0, 1]."""
        return straight_way(1.0, self._end_factor, progress)


class constant(Warmed):  # noqa: N801 - a registered name equals its builder's
    """The rate as it is, after a warm-up if wanted.

    Args:
        optimizer: Its groups' rates are the ones that are kept.
        total_steps: Optimizer steps of the whole run, at least 1.
        steps_per_epoch: Optimizer steps of an epoch, at least 1.
        warmup: Share of the run that goes up, in [0, 1).
        warmup_epochs: The same in epochs, at least 0 and below the run's; it replaces *warmup*.

    Raises:
        ValueError: If an option is outside its range.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        total_steps: int,
        steps_per_epoch: int,
        warmup: float = 0.0,
        warmup_epochs: float | None = None,
    ) -> None:
        super().__init__(
            optimizer,
            total_steps=total_steps,
            steps_per_epoch=steps_per_epoch,
            warmup=warmup,
            warmup_epochs=warmup_epochs,
        )

    def after_warmup(self, progress: float) -> float:  # noqa: ARG002 - the same everywhere
        """Return 1."""
        return 1.0


def _has_momentum(group: dict[str, Any]) -> bool:
    return bool(group.get("betas") or group.get("momentum"))


def _set_momentum(group: dict[str, Any], momentum: float) -> None:
    if group.get("betas"):
        group["betas"] = (momentum, *group["betas"][1:])
    else:
        group["momentum"] = momentum


def _share(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be in [0, 1], not {value!r}")
    return value
