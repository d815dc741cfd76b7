"""What optimizers and schedulers must do, tried on a problem whose loss is convex."""

from __future__ import annotations

import json
import math
import tempfile
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LRScheduler

from zoo.records import tree
from zoo.records.optimizer_state import pack, unpack
from zoo.records.tensors import read_tensors, write_tensors
from zoo.registry import Entry
from zoo.testing.building import Regression, optimizer, regression, scheduler, seeded
from zoo.testing.outcome import ContractError

_STEPS = 100


def check_descent(entry: Entry) -> str:
    """Lower a convex loss at the default rate, and move every parameter."""
    problem = regression()
    before = {name: parameter.detach().clone() for name, parameter in problem.named_parameters()}
    over = optimizer(entry, problem)
    first = problem.loss().item()
    _train(entry, problem, over, _STEPS)
    last = problem.loss().item()
    if not (math.isfinite(last) and last < first):
        raise ContractError(
            entry,
            expected=f"a lower loss after {_STEPS} steps on a convex problem, at the default rate",
            seen=f"{first:.4g} before and {last:.4g} after",
            mend="Look at the update's sign, and choose a smaller default for lr.",
        )
    if still := [name for name, parameter in problem.named_parameters() if torch.equal(parameter, before[name])]:
        raise ContractError(
            entry,
            expected="every parameter to move",
            seen=f"{', '.join(map(repr, still))} unchanged, of shapes "
            f"{', '.join(str(tuple(before[name].shape)) for name in still)}",
            mend="A builder gets all parameters of a model, of any rank: update those that a method does not suit "
            "by another one.",
        )
    return f"loss {first:.3g} to {last:.3g} in {_STEPS} steps"


def check_groups(entry: Entry) -> None:
    """Keep the groups that it is given, with their weight decay, and a rate that a scheduler can move."""
    problem = regression()
    groups: list[dict[str, Any]] = [
        {"params": [parameter for parameter in problem.parameters() if parameter.ndim > 1]},
        {"params": [parameter for parameter in problem.parameters() if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
    over = optimizer_over(entry, groups)
    held = sorted(id(parameter) for group in over.param_groups for parameter in group["params"])
    if held != sorted(map(id, problem.parameters())):
        raise ContractError(
            entry,
            expected="each parameter in exactly one group",
            seen=f"{len(held)} places for {len(list(problem.parameters()))} parameters",
            mend="Pass params on to the optimizer as it comes, a list of groups.",
        )
    for group in over.param_groups:
        if not isinstance(group.get("lr"), (int, float, torch.Tensor)):
            raise ContractError(
                entry,
                expected="the rate in each group, under 'lr'",
                seen=f"a group with {', '.join(sorted(group))}",
                mend="Pass {'lr': lr, ...} to Optimizer.__init__ as the defaults; schedulers move that number.",
            )
        spared = {id(parameter) for parameter in groups[1]["params"]}
        if group.get("weight_decay") and any(id(parameter) in spared for parameter in group["params"]):
            raise ContractError(
                entry,
                expected="weight decay 0 where the group that zoo gives says so, for biases and norms",
                seen=f"{group['weight_decay']!r}",
                mend="Read weight_decay from the group in step(), and give it to Optimizer.__init__ as a default.",
            )


def check_optimizer_state(entry: Entry) -> None:
    """Save its state, load it, and go on with the same bits."""
    problem = regression()
    over = optimizer(entry, problem)
    _train(entry, problem, over, 3)
    twin = deepcopy(problem)
    other = optimizer(entry, twin)
    tensors, data = pack(over, dict(problem.named_parameters()))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "optimizer.safetensors")
        write_tensors(path, tensors)
        unpack(other, dict(twin.named_parameters()), read_tensors(path), json.loads(json.dumps(data)))
    for net, stepper in ((problem, over), (twin, other)):
        with seeded(11):
            _train(entry, net, stepper, 3)
    pairs = zip(problem.named_parameters(), twin.parameters(), strict=True)
    if differing := [name for (name, parameter), other in pairs if not torch.equal(parameter, other)]:
        raise ContractError(
            entry,
            expected="the same bits from an optimizer that was saved and loaded",
            seen=f"another {', '.join(map(repr, differing))} three steps later",
            mend="Keep all that a step depends on in self.state or the groups, not in attributes or globals.",
        )


def check_schedule(entry: Entry) -> str:
    """Give a finite rate, 0 or above, for each of the steps that it was told of, however many."""
    for total_steps, steps_per_epoch in ((1, 1), (2, 1), (3, 100), (10, 5), (37, 4)):
        rates = _rates(entry, total_steps, steps_per_epoch)
        where = f"total_steps={total_steps}, steps_per_epoch={steps_per_epoch}"
        if bad := [(step, rate) for step, rate in enumerate(rates, 1) if not (math.isfinite(rate) and rate >= 0)]:
            raise ContractError(
                entry,
                expected="finite rates, 0 or above",
                seen=f"{bad[0][1]} at step {bad[0][0]} with {where}",
                mend="Guard the divisions by total_steps or by parts of it: short runs have one step.",
            )
        if not any(rates):
            raise ContractError(
                entry,
                expected="a step at a rate above 0",
                seen=f"none with {where}",
                mend="Begin above 0, or reach the full rate before the last step.",
            )
    rates = _rates(entry, 20, 5)
    return f"of 20 steps at 0.1, the first {rates[0]:.3g}, the last {rates[-1]:.3g}"


def check_scheduler_state(entry: Entry) -> None:
    """Save its state as plain data, load it, and go on with the same bits."""
    for kind in (SGD, AdamW):
        whole, part, resumed = (_over(kind) for _ in range(3))
        expected = _step(scheduler(entry, whole), whole, 20)
        first = scheduler(entry, part)
        rates = _step(first, part, 7)
        tensors: dict[str, torch.Tensor] = {}
        states = [tree.encode(state, tensors) for state in (part.state_dict(), first.state_dict())]
        if tensors:
            raise ContractError(
                entry,
                expected="a state of plain data",
                seen=f"tensors in it: {', '.join(sorted(tensors))}",
                mend="Keep numbers, lists and texts in the scheduler.",
            )
        optimizer_state, state = (tree.decode(json.loads(json.dumps(packed)), {}) for packed in states)
        second = scheduler(entry, resumed)
        resumed.load_state_dict(optimizer_state)
        second.load_state_dict(state)
        rates += _step(second, resumed, 13)
        if rates != expected:
            step = next(i for i, pair in enumerate(zip(rates, expected, strict=True)) if pair[0] != pair[1])
            raise ContractError(
                entry,
                expected="the same rates from a schedule that was saved and loaded after 7 of 20 steps",
                seen=f"{rates[step]!r} at step {step + 1}, not {expected[step]!r}",
                mend="Keep what get_lr depends on in attributes that state_dict() returns.",
            )


def optimizer_over(entry: Entry, groups: list[dict[str, Any]]) -> Optimizer:
    """Build an optimizer over groups of parameters."""
    from zoo.registry import build

    built: Optimizer = build(entry, facts={"params": groups}, options={})
    return built


def _train(entry: Entry, problem: Regression, over: Optimizer, steps: int) -> None:
    for _ in range(steps):
        over.zero_grad()
        problem.loss().backward()  # type: ignore[no-untyped-call]
        try:
            over.step()
        except Exception as error:
            raise ContractError(
                entry,
                expected="step() to work by itself, after loss.backward()",
                seen=f"{type(error).__name__}: {' '.join(str(error).split())}",
                mend="zoo gives no closure, and a plain backward() that keeps no graph.",
            ) from error


def _over(kind: type[Optimizer]) -> Optimizer:
    options: dict[str, Any] = {"momentum": 0.9} if kind is SGD else {}
    return kind([nn.Parameter(torch.zeros(1))], lr=0.1, **options)  # type: ignore[call-arg]


def _rates(entry: Entry, total_steps: int, steps_per_epoch: int) -> list[float]:
    over = _over(SGD)
    schedule = scheduler(entry, over, total_steps, steps_per_epoch)
    try:
        return _step(schedule, over, total_steps)
    except Exception as error:
        raise ContractError(
            entry,
            expected=f"{total_steps} steps, as it was told, of {steps_per_epoch} an epoch",
            seen=f"{type(error).__name__}: {' '.join(str(error).split())}",
            mend="The loop calls step() once after each optimizer step, total_steps times.",
        ) from error


def _step(schedule: LRScheduler, over: Optimizer, steps: int) -> list[float]:
    """Return the rate at which each of *steps* optimizer steps was taken."""
    rates = []
    for _ in range(steps):
        rates.append(float(over.param_groups[0]["lr"]))
        over.step()
        schedule.step()
    return rates


OPTIMIZER_CHECKS = {
    "lowers a convex loss": check_descent,
    "keeps the groups of parameters": check_groups,
    "goes on from a saved state with the same bits": check_optimizer_state,
}
SCHEDULER_CHECKS = {
    "gives a rate for every step of the run": check_schedule,
    "goes on from a saved state with the same bits": check_scheduler_state,
}
