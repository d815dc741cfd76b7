"""The contract of optimizers and schedulers, and which faults it finds."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from entry_of import entry_of
from torch import optim
from torch.optim import lr_scheduler

from zoo.testing import ContractError
from zoo.testing import optimizers as contract
from zoo.testing.signatures import check_target


class Uphill(optim.SGD):
    """Climbs."""

    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.data.add_(parameter.grad, alpha=0.01)


class SkipsKernels(optim.SGD):
    """Forgets what has four dimensions."""

    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.ndim < 4:
                    parameter.data.sub_(parameter.grad, alpha=0.01)


class NeedsClosure(optim.SGD):
    """Evaluates the loss by itself."""

    def step(self, closure: Any) -> Any:
        return super().step(closure)


class HidesState(optim.SGD):
    """Keeps its count where no state dict looks."""

    count = 0

    def step(self, closure: Any = None) -> None:
        self.count += 1
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.data.sub_(parameter.grad, alpha=0.01 / self.count)


class FlattensGroups(optim.SGD):
    """Puts all parameters into one group."""

    def __init__(self, params: Any, **options: Any) -> None:
        super().__init__([p for group in params for p in group["params"]], weight_decay=0.1, **options)


class LosesParameters(optim.SGD):
    """Takes the first group alone."""

    def __init__(self, params: Any, **options: Any) -> None:
        super().__init__(next(iter(params))["params"], **options)


def optimizer(kind: type[optim.Optimizer]) -> Any:
    """Return an entry that builds an optimizer of this class."""

    def builder(params: Any, *, lr: float = 0.01) -> optim.Optimizer:
        return kind(params, lr=lr)  # type: ignore[call-arg]

    return entry_of("optimizers", builder)


@pytest.mark.parametrize("check", contract.OPTIMIZER_CHECKS.values(), ids=lambda check: check.__name__)
@pytest.mark.parametrize("kind", [optim.SGD, optim.AdamW, optim.RMSprop])
def test_a_sound_optimizer_passes(check: Callable[[Any], Any], kind: type[optim.Optimizer]) -> None:
    """Torch's own keep the contract."""
    check(optimizer(kind))


@pytest.mark.parametrize(
    ("check", "kind", "seen"),
    [
        (contract.check_descent, Uphill, "before and"),
        (contract.check_descent, SkipsKernels, "'conv.weight' unchanged, of shapes (3, 2, 3, 3)"),
        (contract.check_descent, NeedsClosure, "zoo gives no closure"),
        (contract.check_groups, FlattensGroups, "weight decay 0 where the group"),
        (contract.check_groups, LosesParameters, "2 places for 4 parameters"),
        (contract.check_optimizer_state, HidesState, "three steps later"),
    ],
)
def test_a_faulty_optimizer_is_found(check: Callable[[Any], Any], kind: type[optim.Optimizer], seen: str) -> None:
    """Each fault has its own words, and two lines."""
    with pytest.raises(ContractError) as caught:
        check(optimizer(kind))
    assert seen in str(caught.value)
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize("default", [{}, {"lr": 0.1}], ids=["without a rate", "with one"])
def test_an_optimizer_needs_a_rate_of_its_own(default: dict[str, float]) -> None:
    """--lr is left out by most, so the builder must know a rate."""

    def builder(params: Any, *, lr: float) -> optim.Optimizer:
        return optim.SGD(params, lr=lr)

    entry = entry_of("optimizers", builder, **default)
    if default:
        assert check_target(entry) == "options: lr"
    else:
        with pytest.raises(ContractError, match="an lr without default"):
            check_target(entry)


class TurnsNegative(lr_scheduler.LRScheduler):
    """Falls below zero."""

    def get_lr(self) -> list[Any]:
        return [base * (1 - self.last_epoch / 5) for base in self.base_lrs]


class CountsOutside(lr_scheduler.LRScheduler):
    """Counts in an object that its state names, but does not hold."""

    def __init__(self, optimizer: Any) -> None:
        self.calls: list[int] = []
        super().__init__(optimizer)

    def get_lr(self) -> list[Any]:
        self.calls.append(1)
        return [base / len(self.calls) for base in self.base_lrs]

    def state_dict(self) -> dict[str, Any]:
        return {key: value for key, value in super().state_dict().items() if key != "calls"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.__dict__.update(state_dict)


class KeepsTensors(lr_scheduler.LambdaLR):
    """Has a tensor in its state."""

    def __init__(self, optimizer: Any) -> None:
        self.factor = torch.ones(())
        super().__init__(optimizer, lambda step: 1.0)


def schedule(make: Callable[..., Any]) -> Any:
    """Return an entry for a function of an optimizer and the number of steps."""

    def builder(optimizer: Any, *, total_steps: int) -> Any:
        return make(optimizer, total_steps)

    return entry_of("schedulers", builder)


@pytest.mark.parametrize("check", contract.SCHEDULER_CHECKS.values(), ids=lambda check: check.__name__)
def test_a_sound_schedule_passes(check: Callable[[Any], Any]) -> None:
    """Torch's cosine over the whole run keeps the contract."""
    check(schedule(lr_scheduler.CosineAnnealingLR))


@pytest.mark.parametrize(
    ("check", "make", "seen"),
    [
        (contract.check_schedule, lambda over, steps: TurnsNegative(over), "at step 7 with total_steps=10"),
        (contract.check_schedule, lambda over, steps: lr_scheduler.OneCycleLR(over, 1.0, steps - 1), "total_steps"),
        (contract.check_schedule, lambda over, steps: lr_scheduler.LambdaLR(over, lambda step: 0.0), "above 0"),
        (
            contract.check_schedule,
            lambda over, steps: lr_scheduler.LambdaLR(over, lambda s: s / (steps - 1)),
            "cannot be built",
        ),
        (contract.check_scheduler_state, lambda over, steps: CountsOutside(over), "after 7 of 20 steps"),
        (contract.check_scheduler_state, lambda over, steps: KeepsTensors(over), "tensors in it: factor"),
    ],
)
def test_a_faulty_schedule_is_found(check: Callable[[Any], Any], make: Callable[..., Any], seen: str) -> None:
    """Also where it fails to be built for a run of one step: that is a plugin's error, as in a run."""
    with pytest.raises(Exception, match=re.escape(seen)) as caught:
        check(schedule(make))
    assert "auk" in str(caught.value)
