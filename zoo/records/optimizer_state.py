"""An optimizer's state as named tensors and plain data, and back, to the bit.

`Optimizer.state_dict` is the source: it numbers the parameters, and here they get the model's names. Loading it back is
where the traps are (all seen with torch 2.15):

- `load_state_dict` casts floating state to the parameter's type, so that a float32 momentum of a bfloat16 weight loses
  bits, and rebuilds strings as the text of a generator. So what it loaded is replaced by what was saved.
- The fused AdamW and SGD pair a parameter's elements with its moments' in memory order. A moment that was loaded with
  row-major strides beside a channels_last weight is silently updated with other elements. So a state tensor that has
  its parameter's shape gets its parameter's strides.
- ``step`` lives on the CPU for most variants of Adam and on the parameter's device for the fused and capturable ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from zoo.errors import DamagedError, UsageError
from zoo.records import tree

# How a step is computed, not what it computes: these follow the machine that goes on, not the one that saved.
_IMPLEMENTATION = ("foreach", "fused", "capturable")


def pack(optimizer: Optimizer, parameters: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Any]:
    """Return all that *optimizer* needs in order to go on, as named tensors and data for JSON.

    Args:
        optimizer: Its ``state_dict()`` has the standard form: ``state`` and ``param_groups``, and perhaps more.
        parameters: ``dict(model.named_parameters())``: each parameter of the optimizer under its name.

    Returns:
        The tensors, on whichever device they are and not copied, and a tree as `zoo.records.tree` writes it.

    Raises:
        UsageError: If the state holds something that cannot be kept, or the optimizer has a parameter that is not in
            *parameters*; the optimizer is named.
    """
    names = parameter_names(optimizer, parameters)
    saved = dict(_state_dict(optimizer))
    saved["state"] = {names.get(key, key): value for key, value in saved["state"].items()}
    saved["param_groups"] = [
        {**group, "params": [names[number] for number in group["params"]]} for group in saved["param_groups"]
    ]
    tensors: dict[str, Tensor] = {}
    try:
        encoded = tree.encode(saved, tensors)
    except UsageError as error:
        raise UsageError(f"optimizer {type(optimizer).__name__} cannot be checkpointed: {error}") from error
    return tensors, {
        "cpu": sorted(name for name, tensor in tensors.items() if _stays_on_cpu(tensor)),
        "optimizer": encoded,
    }


def unpack(optimizer: Optimizer, parameters: Mapping[str, Tensor], tensors: Mapping[str, Tensor], data: Any) -> None:
    """Give *optimizer* the state that `pack` returned: the next step has the bits that it would have had.

    Its parameters are where they will be trained, with the type and memory layout that they will have. What the
    optimizer held before is replaced; rates and other options of the groups are the saved ones.

    Args:
        optimizer: Of the kind that was saved, with groups of the same parameters.
        parameters: As for `pack`.
        tensors: As `pack` returned them; copied.
        data: As `pack` returned it, or as it was read from JSON.

    Raises:
        DamagedError: If *data* is nothing that `pack` returns.
        UsageError: If it is the state of another optimizer, or of other parameters.
    """
    numbers = {name: number for number, name in parameter_names(optimizer, parameters).items()}
    saved, on_cpu = _decode(data, tensors)
    groups = [
        {**_placed(group, None, device, on_cpu), "params": params, **implementation}
        for group, (params, implementation, device) in zip(
            saved["param_groups"], _own_groups(optimizer, numbers, saved["param_groups"]), strict=True
        )
    ]
    state = {
        numbers.get(name, name): _placed(value, parameters.get(name), torch.device("cpu"), on_cpu)
        for name, value in saved["state"].items()
    }
    try:
        optimizer.load_state_dict({**saved, "state": state, "param_groups": groups})
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        raise UsageError(f"optimizer {type(optimizer).__name__} does not take the saved state: {error}") from error
    _put_exactly(optimizer, state)


def _state_dict(optimizer: Optimizer) -> dict[str, Any]:
    """Return the optimizer's own, where it has the standard form that numbers the parameters of its groups."""
    saved = optimizer.state_dict()
    sizes = [len(group["params"]) for group in saved.get("param_groups", ())]
    if sizes != [len(group["params"]) for group in optimizer.param_groups] or not isinstance(saved.get("state"), dict):
        raise UsageError(
            f"optimizer {type(optimizer).__name__} cannot be checkpointed: its state_dict() has not the form "
            "{'state': ..., 'param_groups': ...} with the parameters that its own param_groups have"
        )
    return saved


def parameter_names(optimizer: Optimizer, parameters: Mapping[str, Tensor]) -> dict[int, str]:
    """Return the parameters' names by the numbers that the optimizer's ``state_dict()`` gives them.

    Raises:
        UsageError: If the optimizer has a parameter that is not in *parameters*, or no standard ``state_dict()``.
    """
    names = {id(parameter): name for name, parameter in parameters.items()}
    found: dict[int, str] = {}
    for own, group in zip(optimizer.param_groups, _state_dict(optimizer)["param_groups"], strict=True):
        for number, parameter in zip(group["params"], own["params"], strict=True):
            if id(parameter) not in names:
                raise UsageError(
                    f"optimizer {type(optimizer).__name__} has a parameter of shape {tuple(parameter.shape)} that is "
                    "none of the model's, so it cannot be checkpointed"
                )
            found[number] = names[id(parameter)]
    return found


def _stays_on_cpu(tensor: Tensor) -> bool:
    """Tell whether a tensor belongs on the CPU even where the parameters are elsewhere, as the counts of steps do."""
    return tensor.device.type == "cpu" and tensor.ndim == 0


def _decode(data: Any, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Any], frozenset[int]]:
    """Return the saved ``state_dict()``, names for numbers, and the identities of the tensors that stay on the CPU."""
    try:
        saved = tree.decode(data["optimizer"], tensors)
        on_cpu = frozenset(id(tensors[name]) for name in data["cpu"])
        if not isinstance(saved["state"], dict) or not isinstance(saved["param_groups"], list):
            raise TypeError("state is no table, or param_groups is no list")
        for group in saved["param_groups"]:
            group["params"] = [str(name) for name in group["params"]]
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"the saved state is no optimizer's ({type(error).__name__}: {error})") from error
    return saved, on_cpu


def _own_groups(
    optimizer: Optimizer, numbers: Mapping[str, int], saved: list[dict[str, Any]]
) -> Iterator[tuple[list[int], dict[str, Any], torch.device]]:
    """Yield each group's parameters by number, its implementation and its device; they must be the saved ones."""
    names = {number: name for name, number in numbers.items()}
    own = _state_dict(optimizer)["param_groups"]
    have, want = ([list(group["params"]) for group in groups] for groups in (own, saved))
    if [[names[number] for number in group] for group in have] != want:
        raise UsageError(
            f"the saved state is that of other parameters: {sum(map(len, want))} in {len(want)} groups were saved, "
            f"{type(optimizer).__name__} has {len(names)} in {len(own)}, or their names differ"
        )
    for group, live in zip(own, optimizer.param_groups, strict=True):
        device = live["params"][0].device if live["params"] else torch.device("cpu")
        yield group["params"], {key: group[key] for key in _IMPLEMENTATION if key in group}, device


def _placed(value: Any, parameter: Tensor | None, device: torch.device, on_cpu: frozenset[int]) -> Any:
    """Return a copy of a part of the state in which every tensor is where, and as, the optimizer expects it.

    Args:
        value: A tensor, or a list, tuple or dict that may have tensors in it, or anything else.
        parameter: The parameter whose state it is; None for an option of a group.
        device: Where an option of a group belongs.
        on_cpu: The identities of the tensors that stay on the CPU.
    """
    if isinstance(value, dict):
        return {key: _placed(item, parameter, device, on_cpu) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_placed(item, parameter, device, on_cpu) for item in value)
    if not isinstance(value, Tensor):
        return value
    if id(value) in on_cpu:
        return value.to("cpu", copy=True)
    if parameter is None:
        return value.to(device, copy=True)
    if value.shape == parameter.shape:
        return torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)
    return value.to(parameter.device, copy=True)


def _put_exactly(optimizer: Optimizer, state: Mapping[Any, Any]) -> None:
    """Put the saved values in place of those that ``load_state_dict`` cast, moved or rebuilt.

    What ``state_dict()`` returns holds the optimizer's very dictionaries, also those of an optimizer that wraps another
    (timm's Lookahead), so writing into them writes into the optimizer. Where ``__setstate__`` made a tensor of what an
    older version kept as a number, its choice stays.
    """
    held = optimizer.state_dict()["state"]
    for number, values in state.items():
        if not isinstance(values, dict) or not isinstance(held.get(number), dict):
            continue
        for key, value in values.items():
            loaded = held[number].get(key)
            if isinstance(value, Tensor) and isinstance(loaded, Tensor) and key == "step":
                held[number][key] = value.to(loaded.device)  # the fused and capturable variants need it moved
            elif isinstance(value, Tensor) == isinstance(loaded, Tensor):
                held[number][key] = value
