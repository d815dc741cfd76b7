"""The Adam family: every parameter has a rate of its own, made from running moments of its gradient."""

from __future__ import annotations

from collections.abc import Sequence

from torch import optim

from zoo_torch.checks import check_above, check_at_least, check_betas
from zoo_torch.parameters import ADAM_DEVICES, Params, as_groups, choose_fused


def adamw(
    params: Params,
    *,
    lr: float = 0.003,
    betas: Sequence[float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.01,
    amsgrad: bool = False,
    fused: bool | None = None,
) -> optim.AdamW:
    """Build Adam whose weight decay does not pass through its moments.

    Args:
        params: Parameters, or groups of them.
        lr: Learning rate, at least 0.
        betas: Decay of the running mean and mean square, each in [0, 1).
        eps: Added to the denominator, above 0.
        weight_decay: Share of the weight, times the rate, that is taken off each step, at least 0.
        amsgrad: Whether the largest mean square seen is used in place of the last.
        fused: Whether one kernel does the whole step; left out, wherever torch has one.

    Raises:
        ValueError: If an option is outside its range.

    Source: Loshchilov and Hutter 2019, through `torch.optim.AdamW`.
    """
    check_at_least(0, lr=lr, weight_decay=weight_decay)
    check_above(0, eps=eps)
    groups = as_groups(params)
    return optim.AdamW(
        groups,
        lr=lr,
        betas=check_betas(betas),
        eps=eps,
        weight_decay=weight_decay,
        amsgrad=amsgrad,
        fused=choose_fused(groups, fused, ADAM_DEVICES),
    )


def adam(
    params: Params,
    *,
    lr: float = 0.003,
    betas: Sequence[float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    amsgrad: bool = False,
    fused: bool | None = None,
) -> optim.Adam:
    """Build Adam.

    Args:
        params: Parameters, or groups of them.
        lr: Learning rate, at least 0.
        betas: Decay of the running mean and mean square, each in [0, 1).
        eps: Added to the denominator, above 0.
        weight_decay: L2 penalty, added to the gradient, at least 0. For decay beside the gradient take `adamw`.
        amsgrad: Whether the largest mean square seen is used in place of the last.
        fused: Whether one kernel does the whole step; left out, wherever torch has one.

    Raises:
        ValueError: If an option is outside its range.

    Source: Kingma and Ba 2015, through `torch.optim.Adam`.
    """
    check_at_least(0, lr=lr, weight_decay=weight_decay)
    check_above(0, eps=eps)
    groups = as_groups(params)
    return optim.Adam(
        groups,
        lr=lr,
        betas=check_betas(betas),
        eps=eps,
        weight_decay=weight_decay,
        amsgrad=amsgrad,
        fused=choose_fused(groups, fused, ADAM_DEVICES),
    )


def nadam(
    params: Params,
    *,
    lr: float = 0.003,
    betas: Sequence[float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    momentum_decay: float = 0.004,
    decoupled_weight_decay: bool = False,
) -> optim.NAdam:
    """Build Adam with Nesterov's look ahead.

    Args:
        params: Parameters, or groups of them.
        lr: Learning rate, at least 0.
        betas: Decay of the running mean and mean square, each in [0, 1).
        eps: Added to the denominator, above 0.
        weight_decay: L2 penalty, at least 0.
        momentum_decay: How fast the momentum reaches its full size, at least 0.
        decoupled_weight_decay: Whether weight decay stays out of the moments, as in `adamw`.

    Raises:
        ValueError: If an option is outside its range.

    Source: Dozat 2016, through `torch.optim.NAdam`.
    """
    check_at_least(0, lr=lr, weight_decay=weight_decay, momentum_decay=momentum_decay)
    check_above(0, eps=eps)
    return optim.NAdam(
        as_groups(params),
        lr=lr,
        betas=check_betas(betas),
        eps=eps,
        weight_decay=weight_decay,
        momentum_decay=momentum_decay,
        decoupled_weight_decay=decoupled_weight_decay,
    )


def radam(
    params: Params,
    *,
    lr: float = 0.006,
    betas: Sequence[float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled_weight_decay: bool = False,
) -> optim.RAdam:
    """Build Adam that steps as plain momentum until its mean square can be trusted.

    Args:
        params: Parameters, or groups of them.
        lr: Learning rate, at least 0.
        betas: Decay of the running mean and mean square, each in [0, 1).
        eps: Added to the denominator, above 0.
        weight_decay: L2 penalty, at least 0.
        decoupled_weight_decay: Whether weight decay stays out of the moments, as in `adamw`.

    Raises:
        ValueError: If an option is outside its range.

    Source: Liu et al. 2020, through `torch.optim.RAdam`.
    """
    check_at_least(0, lr=lr, weight_decay=weight_decay)
    check_above(0, eps=eps)
    return optim.RAdam(
        as_groups(params),
        lr=lr,
        betas=check_betas(betas),
        eps=eps,
        weight_decay=weight_decay,
        decoupled_weight_decay=decoupled_weight_decay,
    )


def adamax(
    params: Params,
    *,
    lr: float = 0.006,
    betas: Sequence[float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> optim.Adamax:
    """Build Adam with the infinity norm of the gradients in place of the mean square.

    Args:
        params: Parameters, or groups of them.
        lr: Learning rate, at least 0.
        betas: Decay of the running mean and of the norm, each in [0, 1).
        eps: Added to the norm, above 0.
        weight_decay: L2 penalty, at least 0.

    Raises:
        ValueError: If an option is outside its range.

    Source: Kingma and Ba 2015, through `torch.optim.Adamax`.
    """
    check_at_least(0, lr=lr, weight_decay=weight_decay)
    check_above(0, eps=eps)
    return optim.Adamax(as_groups(params), lr=lr, betas=check_betas(betas), eps=eps, weight_decay=weight_decay)


def adafactor(
    params: Params,
    *,
    lr: float = 0.03,
    beta2_decay: float = -0.8,
    eps: float = 1e-3,
    d: float = 1.0,
    weight_decay: float = 0.0,
) -> optim.Adafactor:
    """Build Adafactor: a matrix's mean squares are kept as one row and one column.

    Args:
        params: Parameters, or groups of them.
        lr: Learning rate relative to a parameter's root mean square, at least 0.
        beta2_decay: Exponent of the mean square's decay over steps, at most 0.
        eps: The least root mean square of a parameter that the rate is multiplied with, at least 0.
        d: The root mean square at which an update is clipped, at least 1.
        weight_decay: Share of the weight, times the rate, that is taken off each step, at least 0.

    Raises:
        ValueError: If an option is outside its range.

    Source: Shazeer and Stern 2018, through `torch.optim.Adafactor`.
    """
    check_at_least(0, lr=lr, eps=eps, weight_decay=weight_decay)
    check_at_least(1, d=d)
    if not float("-inf") < beta2_decay <= 0:
        raise ValueError(f"beta2_decay must be at most 0 and finite, not {beta2_decay!r}")
    return optim.Adafactor(
        as_groups(params), lr=lr, beta2_decay=beta2_decay, eps=(None, eps), d=d, weight_decay=weight_decay
    )
