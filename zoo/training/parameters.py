"""Which parameters weight decay acts on, and at which rate each learns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import nn


def parameter_groups(
    model: nn.Module, rates: Mapping[str, float] | None = None, *, decays: bool = True
) -> list[dict[str, Any]]:
    """Split the trainable parameters: weight decay is not for biases, norms and whatever else has one dimension.

    A model that defines ``no_weight_decay()`` (timm's do) adds the names that it returns.

    Args:
        model: Whose parameters.
        rates: The rate of each parameter by name, absolute; None where all have the optimizer's own.
        decays: Whether anything decays; if not, what does and what does not stand in one group, since each costs a
            kernel launch a step.

    Returns:
        Parameter groups, every trainable parameter in exactly one. Those of each rate stand together, in the model's
        order: first those that decay at the optimizer's own rate, then those with ``weight_decay`` 0.
    """
    exempt = set(_exempt_names(model))
    sorted_out: dict[float | None, tuple[list[nn.Parameter], list[nn.Parameter]]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            decayed, spared = sorted_out.setdefault(rates[name] if rates else None, ([], []))
            (spared if parameter.ndim <= 1 or name in exempt else decayed).append(parameter)
    groups = []
    for rate, (decayed, spared) in sorted_out.items():
        own = {} if rate is None else {"lr": rate}
        if decays:
            groups += [{"params": decayed, **own}, {"params": spared, "weight_decay": 0.0, **own}]
        else:
            groups += [{"params": [*decayed, *spared], **own}]
    return [group for group in groups if group["params"]]


def layer_rates(
    groups: Sequence[Sequence[str]], *, lr: float, layer_decay: float, head_lr: float
) -> dict[str, float] | None:
    """Return the rate of each parameter by name.

    Args:
        groups: The parameters' names from the input to the head, which is the last group.
        lr: The rate of a layer that is right below the head, were it not to fall, above 0.
        layer_decay: By how much it falls a group from the head down, in (0, 1].
        head_lr: How many times *lr* the head learns, above 0.

    Returns:
        Absolute rates, so that every scheduler moves each group's own; None where all are *lr*.

    Source: layer-wise decay: Clark et al. 2020, ELECTRA; for pictures, Bao et al. 2021, BEiT.
    """
    if layer_decay == 1 and head_lr == 1:
        return None
    last = len(groups) - 1
    return {
        name: lr * (head_lr if place == last else layer_decay ** (last - place))
        for place, group in enumerate(groups)
        for name in group
    }


def groups_below(share: float, groups: int, layer_decay: float) -> int:
    """Return how many groups, from the input on, `layer_rates` gives less than a *share* of the rate, in (0, 1].

    Args:
        share: A rate of exactly that share counts as above.
        groups: How many there are, the head among them, at least 1.
        layer_decay: By how much the rate falls a group from the head down, in (0, 1].
    """
    return sum(layer_decay**below < share for below in range(1, groups))


def _exempt_names(model: nn.Module) -> Iterable[str]:
    names = getattr(model, "no_weight_decay", None)
    return names() if callable(names) else ()
