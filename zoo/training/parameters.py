"""Which parameters weight decay acts on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn


def parameter_groups(model: nn.Module) -> list[dict[str, Any]]:
    """Split the trainable parameters: weight decay is not for biases, norms and whatever else has one dimension.

    A model that defines ``no_weight_decay()`` (timm's do) adds the names that it returns.

    Returns:
        One or two parameter groups, every trainable parameter in exactly one: first those that decay at the optimizer's
        own rate, then those with ``weight_decay`` 0.
    """
    exempt = set(_exempt_names(model))
    decayed: list[nn.Parameter] = []
    spared: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            (spared if parameter.ndim <= 1 or name in exempt else decayed).append(parameter)
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": spared, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def _exempt_names(model: nn.Module) -> Iterable[str]:
    names = getattr(model, "no_weight_decay", None)
    return names() if callable(names) else ()
