"""What optimizers take as parameters, and whether a fused kernel can update them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import torch
from torch import Tensor

Group: TypeAlias = dict[str, Any]
Params: TypeAlias = Iterable[Tensor] | Iterable[Group]

ADAM_DEVICES = frozenset({"cpu", "cuda", "mps", "xpu"})
"""Device types for which torch has a fused kernel of Adam, AdamW and SGD."""

ADAGRAD_DEVICES = frozenset({"cpu", "cuda"})
"""Device types for which torch has a fused kernel of Adagrad."""


def as_groups(params: Params) -> list[Group]:
    """Return *params*, tensors or groups, as new groups whose ``"params"`` are lists.

    torch fills in the groups that it is given; these are copies, so that the caller's stay as they are.
    """
    given = list(params)
    if given and not isinstance(given[0], dict):
        given = [{"params": given}]
    return [{**group, "params": _as_list(group["params"])} for group in given if isinstance(group, dict)]


def choose_fused(groups: list[Group], fused: bool | None, devices: frozenset[str]) -> bool | None:
    """Say whether the fused kernel is used: one pass over memory a step, in place of one an operation.

    Args:
        groups: Groups of parameters.
        fused: What the user asked for; None leaves it to the parameters.
        devices: Device types that have the kernel.

    Returns:
        True, False, or None where torch is to choose between its other implementations (foreach on an accelerator).

    Raises:
        ValueError: If *fused* is True and a parameter cannot be updated so.
    """
    strangers = sorted(
        f"{parameter.dtype} on {parameter.device}"
        for group in groups
        for parameter in group["params"]
        if parameter.device.type not in devices or not torch.is_floating_point(parameter)
    )
    if fused and strangers:
        raise ValueError(f"fused must be false or left out for a parameter of {strangers[0]}, not {fused!r}")
    if fused is None:
        return None if strangers else True
    return fused


def _as_list(params: Tensor | Iterable[Tensor]) -> list[Tensor]:
    return [params] if isinstance(params, Tensor) else list(params)
