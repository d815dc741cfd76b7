"""What part of the machine's roof a training step reaches, what the rest of the step is, and each product alone.

The roof is the best rate of a large matrix product in the same precision, one for the whole run: the product takes
turns with each model's steps and layers. A step's time is told by unprofiled steps; its parts by torch's profiler,
which adds some microseconds to each operation.
"""

from __future__ import annotations

import copy
import re
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import torch
from measuring import SIDE, Row, in_turns, operations, roof_of, roof_product
from rules import LAST, Trainer, precisions
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile, record_function

from zoo.training.arithmetic import gradients_laid_out, prefers_channels_last
from zoo.training.dropout import dropout_masks
from zoo.training.memory import keep_freed_memory

CASES = (("mlp", 64), ("mlp", 512), ("cnn_dropout", 128), ("pytorch_mnist", 64), ("resnet9", 128))
"""Model, batch size."""
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
PROFILED = 30  # steps
CALLS = 3  # a round
REST = "the rest"

# Whose work it is, whatever operations it takes: a caller's name decides before all others.
CALLERS = {
    "dropout": r"^dropout$|MulBackward",  # no other factor in these models needs a gradient
    "optimizer": r"^Optimizer",
    REST: r"^normalise$",
}
# Else the first pattern that an operation's name matches; else the operation that called it decides.
OPERATIONS = {
    "copies, casts": r"copy_?$|aten::clone|ToCopyBackward",
    "products": r"conv|mm(?!a)|linear|Addmm|MmBackward|TBackward",
    "pooling": r"pool",
    "batch norm": r"batch_?norm",
    "element-wise": r"aten::(relu|threshold|clamp|add|mul|sub)|(Relu|Add)Backward",
}
PARTS = (*OPERATIONS, *CALLERS)
_CALLERS, _OPERATIONS = (
    {part: re.compile(pattern, re.IGNORECASE) for part, pattern in patterns.items()}
    for patterns in (CALLERS, OPERATIONS)
)


def part_of(names: Sequence[str]) -> str:
    """Return what part of a step an operation belongs to.

    Args:
        names: The operation's, that of the one which called it, and so on.
    """
    parts = (
        part
        for patterns in (_CALLERS, _OPERATIONS)
        for name in names
        for part, pattern in patterns.items()
        if pattern.search(name)
    )
    return next(parts, REST)


class Timed(NamedTuple):
    """What a computation took."""

    seconds: float
    """Median."""
    work: int
    """Floating-point operations of its products."""

    def percentage(self, roof: float) -> int:
        """Return its rate beside *roof*, operations a second."""
        return round(100 * self.work / self.seconds / roof)


class Case(NamedTuple):
    """What was measured with a model and a batch size."""

    facts: Row
    roofs: dict[str, float]
    """Operations a second of the best round, by precision."""
    steps: dict[str, tuple[Timed, dict[str, float]]]
    """By precision: a step, and each part's share of its time."""
    layers: list[tuple[str, dict[tuple[str, str], Timed]]]
    """What a layer is, and it alone by way, forward or backward, and precision."""


def measure(rounds: int) -> tuple[list[Row], list[str]]:
    """Return a row a model, batch size and precision, then a row a layer, and what the roof is."""
    torch.set_flush_denormal(True)
    keep_freed_memory()
    cases, chosen = [], precisions()
    for name, batch_size in CASES:
        with dropout_masks("numpy"):
            cases.append(_case(name, batch_size, chosen, rounds))
        print(f"  {name} {batch_size}", file=sys.stderr)
    roofs = {precision: max(case.roofs[precision] for case in cases) for precision in chosen}
    least = {precision: min(case.roofs[precision] for case in cases) for precision in chosen}
    rows = [row for case in cases for row in _step_rows(case, roofs)]
    rows += [row for case in cases for row in _layer_rows(case, roofs)]
    spread = " and ".join(f"{least[name] / 1e9:.0f} in {name}" for name in chosen)
    return rows, [
        f"the roof is a product of two matrices, {SIDE} x {SIDE}, which took turns with each model's steps and layers",
        f"all rows have the roof of the run's best round, by the median of the {CALLS} products in it",
        f"beside the model where the best round was slowest, that was, in GFLOP/s, {spread}",
        "operations: what torch's FlopCounterMode counts, even those with the zeros of a padded edge, computed or not",
        "products: convolutions and linear layers, forward and backward, without the copies around them",
        "copies, casts: autocast's, and those from one layout to another",
        "dropout, optimizer: all of their operations, whatever these are; dropout's include drawing the masks",
        "the rest: the loss, indexing and normalising the batch, Python, and the profiler itself",
        f"parts: medians of {PROFILED} profiled steps; ms: medians of {CALLS * rounds} unprofiled ones",
        "a layer alone has its inputs in its own precision, so no cast; a first one has no gradient of its inputs",
    ]


def _case(name: str, batch_size: int, precisions: Sequence[str], rounds: int) -> Case:
    trainers = {precision: _trainer(name, batch_size, precision) for precision in precisions}
    layers = _layers(trainers["fp32"])
    alone = [
        {
            (way, precision): call
            for precision in precisions
            for way, call in zip(("forward", "backward"), _alone(*layer, DTYPES[precision]), strict=True)
        }
        for layer in layers
    ]
    calls: dict[str, Callable[[], object]] = {}
    for precision, trainer in trainers.items():
        calls |= {f"roof {precision}": roof_product(DTYPES[precision]), f"step {precision}": trainer.step}
    for place, ways in enumerate(alone):
        calls |= {f"{place} {way} {precision}": call for (way, precision), call in ways.items()}
    with ExitStack() as held:
        for trainer in trainers.values():
            held.enter_context(gradients_laid_out(trainer.model))
        seconds = in_turns(calls, rounds, CALLS)
        timed = {call: Timed(statistics.median(seconds[call]), operations(calls[call])) for call in calls}
        return Case(
            {"model": name, "batch": batch_size},
            {precision: _best_round(seconds[f"roof {precision}"]) for precision in precisions},
            {precision: (timed[f"step {precision}"], _shares(trainer)) for precision, trainer in trainers.items()},
            [
                (_described(*layer), {way: timed[f"{place} {' '.join(way)}"] for way in alone[place]})
                for place, layer in enumerate(layers)
            ],
        )


def _best_round(seconds: Sequence[float]) -> float:
    """Return the greatest of the rounds' rates, in operations a second, from the seconds of all calls."""
    return max(roof_of(seconds[first : first + CALLS]) for first in range(0, len(seconds), CALLS))


def _trainer(name: str, batch_size: int, precision: str) -> Trainer:
    trainer = Trainer(name, batch_size, precision=precision)
    if prefers_channels_last(trainer.model, torch.device("cpu")):
        return Trainer(name, batch_size, precision=precision, layout=LAST)
    return trainer


def _shares(trainer: Trainer) -> dict[str, float]:
    """Return each part's share of a step's time, in [0, 1]."""
    for module in trainer.model.modules():
        if isinstance(module, nn.Dropout):
            module.forward = record_function("dropout")(module.forward)  # type: ignore[method-assign]
    trainer.prepare = record_function("normalise")(trainer.prepare)
    with profile(activities=[ProfilerActivity.CPU], acc_events=True) as profiler:
        for step in range(PROFILED):
            with record_function(f"step {step}"):
                trainer.step()
    times: dict[str, dict[str, float]] = {}
    for event in profiler.events():
        names, ancestor = [event.name], event.cpu_parent
        while ancestor is not None:
            names.append(ancestor.name)
            ancestor = ancestor.cpu_parent
        if names[-1].startswith("step "):
            by_step = times.setdefault(part_of(names), {})
            by_step[names[-1]] = by_step.get(names[-1], 0.0) + event.self_cpu_time_total
    medians = {part: statistics.median(times[part].values()) if part in times else 0.0 for part in PARTS}
    return {part: median / sum(medians.values()) for part, median in medians.items()}


def _step_rows(case: Case, roofs: Mapping[str, float]) -> list[Row]:
    """Return a row a precision on a model's steps."""
    rows: list[Row] = []
    for precision, (step, shares) in case.steps.items():
        products = Timed(step.seconds * shares["products"], step.work)
        rows.append(
            {
                **case.facts,
                "precision": precision,
                "ms a step": round(1e3 * step.seconds, 2),
                "MFLOP": round(step.work / 1e6),
                "GFLOP/s": round(step.work / step.seconds / 1e9),
                "roof, GFLOP/s": round(roofs[precision] / 1e9),
                "% of the roof": step.percentage(roofs[precision]),
                **{f"{part}, %": round(100 * share) for part, share in shares.items()},
                "products alone, % of the roof": products.percentage(roofs[precision]),
            }
        )
    return rows


def _layer_rows(case: Case, roofs: Mapping[str, float]) -> list[Row]:
    """Return a row on each of a model's layers."""
    rows: list[Row] = []
    for described, ways in case.layers:
        row: dict[str, Any] = {**case.facts, "layer": described}
        for (way, precision), timed in ways.items():
            row[f"{way} in {precision}, ms"] = round(1e3 * timed.seconds, 3)
            row[f"{way} in {precision}, % of the roof"] = timed.percentage(roofs[precision])
        rows.append(row)
    return rows


def _layers(trainer: Trainer) -> list[tuple[nn.Module, Tensor]]:
    """Return the convolutions and linear layers of a model, in order, each with its inputs in a step."""
    found: list[tuple[nn.Module, Tensor]] = []
    hooks = [
        module.register_forward_pre_hook(lambda module, inputs: found.append((module, inputs[0])))
        for module in trainer.model.modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    ]
    trainer.step()
    for hook in hooks:
        hook.remove()
    return found


def _alone(layer: nn.Module, inputs: Tensor, dtype: torch.dtype) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Return what runs a layer's forward pass, and what its backward pass, in a precision."""
    alone = copy.deepcopy(layer).to(dtype)
    given = inputs.detach().to(dtype).requires_grad_(inputs.requires_grad)
    outputs = alone(given)
    gradient = torch.randn_like(outputs)
    wanted = [*alone.parameters(), *([given] if given.requires_grad else [])]
    return lambda: alone(given), lambda: torch.autograd.grad(outputs, wanted, gradient, retain_graph=True)


def _described(layer: nn.Module, inputs: Tensor) -> str:
    if isinstance(layer, nn.Linear):
        return f"linear, {layer.in_features} to {layer.out_features}"
    assert isinstance(layer, nn.Conv2d)
    (height, width), (rows, columns) = layer.kernel_size, inputs.shape[2:]
    return (
        f"convolution {height} x {width}, {layer.in_channels} to {layer.out_channels} channels, "
        f"{rows} x {columns} pixels"
    )
