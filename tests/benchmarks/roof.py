"""What part of the machine's roof a training step reaches, what the rest of the step is, and each product alone.

The roof is the rate of a large matrix product in the same precision, in turns with a model's steps and layers. A step's
time is told by unprofiled steps; its parts by torch's profiler, which adds some microseconds to each operation.
"""

from __future__ import annotations

import copy
import re
import statistics
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from measuring import SIDE, Row, in_turns, operations, roof_of, roof_product
from rules import LAST, Trainer
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile, record_function

from zoo.training.arithmetic import gradients_laid_out, has_fast_bf16, prefers_channels_last
from zoo.training.dropout import dropout_masks
from zoo.training.memory import keep_freed_memory

CASES = (("mlp", 64), ("mlp", 512), ("cnn_dropout", 128), ("pytorch_mnist", 64), ("resnet9", 128))
"""Model, batch size."""
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
PROFILED = 30  # steps

# The first pattern that an operation's name matches; else the operation that called it decides.
PARTS = {
    "copies, casts": r"copy_?$|aten::clone|ToCopyBackward",
    "products": r"conv|mm(?!a)|linear|Addmm|MmBackward|TBackward",
    "pooling": r"pool",
    "batch norm": r"batch_?norm",
    "dropout": r"^dropout$|MulBackward",  # no other factor in these models needs a gradient
    "element-wise": r"aten::(relu|threshold|clamp|add|mul|sub)|(Relu|Add)Backward",
    "optimizer": r"^Optimizer",
}
REST = "the rest"
_COMPILED = {part: re.compile(pattern, re.IGNORECASE) for part, pattern in PARTS.items()}


def part_of(names: Sequence[str]) -> str:
    """Return what part of a step an operation belongs to.

    Args:
        names: The operation's, that of the one which called it, and so on.
    """
    parts = (part for name in names for part, pattern in _COMPILED.items() if pattern.search(name))
    return next(parts, REST)


def measure(rounds: int) -> tuple[list[Row], list[str]]:
    """Return a row a model, batch size and precision, then a row a layer, and what the roof is."""
    torch.set_flush_denormal(True)
    keep_freed_memory()
    precisions = [name for name in DTYPES if name == "fp32" or has_fast_bf16(torch.device("cpu"))]
    steps, layers = list[Row](), list[Row]()
    for name, batch_size in CASES:
        with dropout_masks("numpy"):
            of_steps, of_layers = _case(name, batch_size, precisions, rounds)
        steps += [{"model": name, "batch": batch_size, **row} for row in of_steps]
        layers += [{"model": name, "batch": batch_size, **row} for row in of_layers]
        print(f"  {name} {batch_size}", file=sys.stderr)
    return [*steps, *layers], [
        f"the roof is a product of two matrices, {SIDE} x {SIDE}, which took turns with the model's steps and layers",
        "products: convolutions and linear layers, forward and backward, without the copies around them",
        "operations with the zeros at an image's edge count, computed or not, so that small images may exceed the roof",
        "copies, casts: autocast's, and those from one layout to another; dropout: drawing the masks, too",
        "the rest: the loss, indexing and normalising the batch, Python, and the profiler itself",
        f"parts: medians of {PROFILED} profiled steps; ms: medians of {3 * rounds} unprofiled ones",
        "a layer alone has its inputs in its own precision, so no cast; a first one has no gradient of its inputs",
    ]


def _case(name: str, batch_size: int, precisions: Sequence[str], rounds: int) -> tuple[list[Row], list[Row]]:
    """Return a row a precision on a model's steps, and a row on each of its layers."""
    trainers = {precision: _trainer(name, batch_size, precision) for precision in precisions}
    layers = _layers(trainers["fp32"])
    calls: dict[str, Callable[[], object]] = {}
    with ExitStack() as held:
        for precision, trainer in trainers.items():
            held.enter_context(gradients_laid_out(trainer.model))
            calls |= {f"roof {precision}": roof_product(DTYPES[precision]), f"step {precision}": trainer.step}
            for place, layer in enumerate(layers):
                forward, backward = _alone(*layer, DTYPES[precision])
                calls |= {f"{place} forward {precision}": forward, f"{place} backward {precision}": backward}
        seconds = in_turns(calls, rounds, 3)
        roofs = {precision: roof_of(seconds[f"roof {precision}"]) for precision in precisions}
        rows = [
            {"precision": precision, **_step_row(trainer, seconds[f"step {precision}"], roofs[precision])}
            for precision, trainer in trainers.items()
        ]
    of_layers = []
    for place, layer in enumerate(layers):
        row: dict[str, Any] = {"layer": _described(*layer)}
        for precision, roof in roofs.items():
            for way in ("forward", "backward"):
                call = f"{place} {way} {precision}"
                took = statistics.median(seconds[call])
                row[f"{way} in {precision}, ms"] = round(1e3 * took, 3)
                row[f"{way} in {precision}, % of the roof"] = round(100 * operations(calls[call]) / took / roof)
        of_layers.append(row)
    return rows, of_layers


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
    medians = {part: statistics.median(times[part].values()) if part in times else 0.0 for part in (*PARTS, REST)}
    return {part: median / sum(medians.values()) for part, median in medians.items()}


def _step_row(trainer: Trainer, seconds: Sequence[float], roof: float) -> Row:
    took, work, shares = statistics.median(seconds), operations(trainer.step), _shares(trainer)
    return {
        "ms a step": round(1e3 * took, 2),
        "MFLOP": round(work / 1e6),
        "GFLOP/s": round(work / took / 1e9),
        "roof, GFLOP/s": round(roof / 1e9),
        "% of the roof": round(100 * work / took / roof),
        **{f"{part}, %": round(100 * share) for part, share in shares.items()},
        "products alone, % of the roof": round(100 * work / (took * shares["products"]) / roof),
    }


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
