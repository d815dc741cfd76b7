"""timm's optimizers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from timm.optim._optim_factory import OptimInfo
from torch import Tensor
from torch.optim import Optimizer

import zoo
from zoo_timm.library import optimizers


def build(
    params: Iterable[Tensor] | Iterable[dict[str, Any]],
    *,
    algorithm: str,
    lr: float = 0.001,
    weight_decay: float = 0.0,
    momentum: float | None = None,
    betas: Sequence[float] | None = None,
    eps: float | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Optimizer:
    """Build one of timm's optimizers.

    Args:
        params: Parameters, or groups of them, which may have a ``weight_decay`` of their own.
        algorithm: timm's name for it; bound by the entry.
        lr: Learning rate, above 0. Each entry has a default that suits small networks.
        weight_decay: At least 0.
        momentum: Of those that have one, in [0, 1); left out, 0.9, as in timm's scripts.
        betas: Of those that have them, each in [0, 1); left out, the optimizer's own.
        eps: Of those that have one; left out, the optimizer's own.
        extra: Further keywords of timm's class for it, such as ``{"caution": true}``.

    Raises:
        zoo.UsageError: If an option is not one of this optimizer's, or is outside its range.

    Source: Wightman 2019, PyTorch Image Models (timm).
    """
    info = optimizers.get_optimizer_info(algorithm)
    given = {"momentum": momentum, "betas": betas, "eps": eps}
    options = {name: value for name, value in given.items() if value is not None}
    for name in options:
        if not getattr(info, f"has_{name}"):
            raise zoo.UsageError(f"timm's {algorithm} has no {name}; it has {_settings(info)}")
    try:
        optimizer: Optimizer = optimizers.create_optimizer_v2(
            params, opt=algorithm, lr=lr, weight_decay=weight_decay, **options, **(extra or {})
        )
    except (AssertionError, TypeError, ValueError) as error:
        raise zoo.UsageError(f"timm's {algorithm}: {' '.join(str(error).split()) or 'a value is wrong'}") from error
    return optimizer


def _settings(info: OptimInfo) -> str:
    names = [name for name in ("momentum", "betas", "eps") if getattr(info, f"has_{name}")]
    return ", ".join(["lr", "weight_decay", *names])
