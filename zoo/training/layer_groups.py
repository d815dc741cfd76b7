"""A model's head, and its parameters in groups of layers from the input to the head.

Nothing here knows a library: a model may say both itself, by ``head_name`` and ``layer_groups``, and else its own
modules tell.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from torch import Tensor, nn

from zoo.errors import PluginError, UsageError
from zoo.training.ensemble import Ensemble


def head_of(model: nn.Module) -> tuple[str, nn.Module]:
    """Return the name of the layer that gives the logits, and the layer.

    That is what the model's ``head_name`` names; else what its ``get_classifier()`` returns (timm's models have it);
    else the last linear layer, or where there is none, the last convolution.

    Raises:
        UsageError: If the model is an ensemble, each of whose members has a head.
        PluginError: If ``head_name`` names no layer, or none is found.
    """
    if isinstance(model, Ensemble):
        raise UsageError("an ensemble has no head of its own, only its members have: ask one of them")
    named = getattr(model, "head_name", None)
    modules = dict(model.named_modules())
    if isinstance(named, str):
        if named not in modules:
            raise PluginError(f"{type(model).__name__} says that its head is {named!r}, but has no module of that name")
        return named, modules[named]
    told = _told_classifier(model)
    if isinstance(told, nn.Module) and [*told.parameters()]:
        return next((name, module) for name, module in modules.items() if module is told)
    for kind in (nn.Linear, nn.Conv2d):
        if found := [(name, module) for name, module in modules.items() if isinstance(module, kind)]:
            return found[-1]
    raise PluginError(
        f"{type(model).__name__} has no layer that looks like its head; let it say so by head_name = 'NAME'"
    )


def layer_groups(model: nn.Module) -> list[list[str]]:
    """Return the names of the parameters in groups, from the input to the head, which is the last group by itself.

    The groups are what the model's ``layer_groups`` says, a sequence of sequences of names, or a function that returns
    one, or None; else one for each of its blocks, in the order of its modules: containers are opened, and so is what
    holds more than half of all numbers. What has one dimension alone, such as a norm, belongs to the layer before it.

    Raises:
        PluginError: If ``layer_groups`` leaves a parameter out, or names one twice or one that there is not.
    """
    names = [name for name, _ in model.named_parameters()]
    head, module = head_of(model)
    last = [f"{head}.{name}" if head else name for name, _ in module.named_parameters()]
    told = getattr(model, "layer_groups", None)
    told = told() if callable(told) else told
    groups = _blocks(model) if told is None else _checked(model, told, names)
    below = [[name for name in group if name not in last] for group in groups]
    return [group for group in [*below, [name for name in names if name in last]] if group]


def _told_classifier(model: nn.Module) -> object:
    tell = getattr(model, "get_classifier", None)
    return tell() if callable(tell) else None


def _checked(model: nn.Module, told: Sequence[Sequence[str]], names: Sequence[str]) -> list[list[str]]:
    groups = [list(group) for group in told]
    said = [name for group in groups for name in group]
    if sorted(said) != sorted(names):
        wrong = sorted(set(said) ^ set(names)) or sorted(name for name in set(said) if said.count(name) > 1)
        raise PluginError(f"{type(model).__name__}.layer_groups must hold every parameter once; look at {wrong[0]!r}")
    return groups


def _blocks(model: nn.Module) -> list[list[str]]:
    parameters = dict(model.named_parameters())  # a shared one has its first name alone
    half = sum(map(_size, parameters.values())) / 2
    groups: list[list[str]] = []
    for block in _opened(model, "", half):
        kept = [name for name in block if name in parameters]
        if groups and kept and all(parameters[name].ndim <= 1 for name in kept):
            groups[-1] += kept
        elif kept:
            groups.append(kept)
    return groups


def _opened(module: nn.Module, prefix: str, half: float) -> Iterator[list[str]]:
    """Yield the names of the parameters of each block of *module*, its own first."""
    yield [prefix + name for name, _ in module.named_parameters(recurse=False)]
    for name, child in module.named_children():
        below = f"{prefix}{name}."
        large = sum(map(_size, child.parameters())) > half
        if large or isinstance(child, nn.Sequential | nn.ModuleList | nn.ModuleDict):
            yield from _opened(child, below, half)
        else:
            yield [below + inner for inner, _ in child.named_parameters()]


def _size(parameter: Tensor) -> int:
    return math.prod(parameter.shape)
