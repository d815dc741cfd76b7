"""A trial of an optimizer: whether a run with it can be stopped and go on to the bit, found out before it begins."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from zoo.errors import UsageError
from zoo.records.optimizer_state import pack, parameter_names, unpack
from zoo.training.dynamo import uncompiled
from zoo.training.randomness import random_state_kept, seed_everything


def check_packable(optimizer: Optimizer, parameters: Mapping[str, Tensor]) -> int:
    """Make sure, before training, that a run with *optimizer* can be stopped and resumed to the bit.

    A copy of the optimizer takes two steps over parameters of the same number of dimensions, each at most three
    elements long; its state goes through `pack` and `unpack` into a second copy, and both take two more steps. Neither
    *optimizer* nor its parameters nor any random state changes. It takes milliseconds, and next to no memory.

    Args:
        optimizer: Fresh, or one that was stepped; its state is not looked at.
        parameters: As for `pack`.

    Returns:
        An estimate of the bytes that the state's tensors take in a checkpoint.

    Raises:
        UsageError: If the copy cannot step without a closure, its state cannot be kept, or the second copy goes on with
            other bits, as one does that keeps state elsewhere than in ``state_dict()``; the optimizer is named.
    """
    name = type(optimizer).__name__
    parameter_names(optimizer, parameters)
    with random_state_kept(), uncompiled():
        try:
            first, second = (_small_copy(optimizer, parameters) for _ in range(2))
            _take_steps(*first, 0)
            with torch.no_grad():
                for key, parameter in second[1].items():
                    parameter.copy_(first[1][key])
            tensors, data = pack(*first)
            unpack(*second, tensors, data)
            for trial in (first, second):
                seed_everything(0)
                _take_steps(*trial, 2)
        except UsageError:
            raise
        except Exception as error:
            raise UsageError(
                f"optimizer {name} failed on a trial step, so runs with it cannot be resumed: "
                f"{type(error).__name__}: {error}"
            ) from error
    if not all(torch.equal(parameter, second[1][key]) for key, parameter in first[1].items()):
        raise UsageError(
            f"optimizer {name} does not go on with the same bits from its state_dict(), so runs with it cannot be "
            "resumed: it keeps state elsewhere"
        )
    return sum(_full_size(key, tensor, first[1], parameters) for key, tensor in tensors.items())


def _full_size(key: str, tensor: Tensor, small: Mapping[str, Tensor], parameters: Mapping[str, Tensor]) -> int:
    """Return the bytes of the tensor that takes the place of a small copy's *tensor*: as many for each element."""
    name = key.split("/")[1]
    if name in small and tensor.shape == small[name].shape:
        return parameters[name].numel() * tensor.element_size()
    return tensor.nbytes


def _small_copy(optimizer: Optimizer, parameters: Mapping[str, Tensor]) -> tuple[Optimizer, dict[str, Tensor]]:
    """Return a fresh copy of *optimizer* over small parameters, and those by name.

    The memo makes `deepcopy` take the small parameters for the real ones, which are never copied, and a small state
    for the real one. All attributes are copied: `Optimizer.__getstate__`, which `deepcopy` would use, keeps three. A
    scheduler replaces ``step`` on the instance by a function that steps the original, so that one is left out.
    """
    small = {name: _small(parameter) for name, parameter in parameters.items()}
    memo: dict[int, Any] = {id(parameters[name]): copy for name, copy in small.items()}
    memo[id(optimizer.state)] = defaultdict(dict, _small_states(optimizer, parameters, small))
    duplicate = object.__new__(type(optimizer))
    memo[id(optimizer)] = duplicate
    attributes = {key: value for key, value in vars(optimizer).items() if key != "step"}
    vars(duplicate).update(deepcopy(attributes, memo))
    return duplicate, small


def _small_states(
    optimizer: Optimizer, parameters: Mapping[str, Tensor], small: Mapping[str, Tensor]
) -> Iterator[tuple[Tensor, dict[str, Any]]]:
    """Yield the small parameters' states, where the optimizer made one for each when it was constructed itself.

    Those that do (torch 2.10's Adagrad) cannot step without. Where a state has tensors of other shapes, a step made it.
    """
    for name, parameter in parameters.items():
        state = optimizer.state.get(parameter, {})
        tensors = [value for value in state.values() if isinstance(value, Tensor)]
        if state and all(tensor.ndim == 0 or tensor.shape == parameter.shape for tensor in tensors):
            yield small[name], {key: _cut(value, small[name]) for key, value in state.items()}


def _cut(value: Any, small: Tensor) -> Any:
    """Return a copy of a part of a state, as much of it as belongs to the small parameter."""
    if not isinstance(value, Tensor) or not value.ndim:
        return deepcopy(value)
    part = value[tuple(slice(length) for length in small.shape)]
    return torch.empty_like(small, dtype=value.dtype, requires_grad=False).copy_(part)


def _small(parameter: Tensor) -> Tensor:
    shape = [min(length, 3) for length in parameter.shape]
    values = torch.linspace(-1, 1, math.prod(shape), device=parameter.device).reshape(shape)
    return torch.nn.Parameter(values.to(parameter.dtype), requires_grad=parameter.requires_grad)


def _take_steps(optimizer: Optimizer, parameters: Mapping[str, Tensor], start: int) -> None:
    for number in (start, start + 1):
        for parameter in parameters.values():
            if parameter.requires_grad:
                waves = torch.arange(parameter.numel(), device=parameter.device).add(number).cos()
                parameter.grad = waves.reshape(parameter.shape).to(parameter.dtype)
        optimizer.step()
