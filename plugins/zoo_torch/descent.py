"""Gradient descent with momentum or an average, and the optimizers that scale it by past gradients."""

from __future__ import annotations

from collections.abc import Sequence

from torch import optim

from zoo_torch.checks import check_above, check_at_least, check_fraction
from zoo_torch.parameters import ADAGRAD_DEVICES, ADAM_DEVICES, Params, as_groups, choose_fused


def sgd(
    params: Params,
    *,
    lr: float = 0.1,
    momentum: float = 0.9,
    dampening: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
    fused: bool | None = None,
) -> optim.SGD:
    """Build stochastic gradient descent with momentum.

    Args:
        params: Parameters, or groups of them.
        lr: Learning rate, at least 0.
        momentum: Share of the last step that is taken again, in [0, 1).
        dampening: Share of the gradient that is kept out of the momentum, in [0, 1).
        nesterov: Whether the gradient is corrected by the momentum to come; needs momentum and no dampening.
        weight_decay: L2 penalty, at least 0.
        fused: Whether one kernel does the whole step; left out, wherever torch has one.

    Raises:
        ValueError: If an option is outside its range.

    Source: Sutskever et al. 2013, through `torch.optim.SGD`.
    """
    check_at_least(0, lr=lr, weight_decay=weight_decay)
    check_fraction(momentum=momentum, dampening=dampening)
    if nesterov and (momentum == 0 or dampening != 0):
        raise ValueError(
            f"nesterov needs momentum above 0 and dampening 0, not momentum {momentum!r} and dampening {dampening!r}"
        )
    groups = as_groups(params)
    return optim.SGD(
        groups,
        lr=lr,
        momentum=momentum,
        dampening=dampening,
        nesterov=nesterov,
        weight_decay=weight_decay,
        fused=choose_fused(groups, fused, ADAM_DEVICES),
    )


def asgd(
    params: Params,
    *,
    lr: float = 0.1,
    lambd: float = 1e-4,
    alpha: float = 0.75,
    t0: float = 1e6,
    weight_decay: float = 0.0,
) -> optim.ASGD:
    """Build stochastic gradient descent that keeps an average of its path in its state.

    The model keeps the last point, not the average; for an averaged model see ``--ema``.

    Args:
        params: Parameters, or groups of them.
        lr: Learning rate, at least 0.
        lambd: How fast the rate decays and the weights with it, at least 0.
        alpha: Power of the rate's decay, at least 0.
        t0: The step at which averaging starts, at least 0.
        weight_decay: L2 penalty, at least 0.

    Raises:
        ValueError: If an option is outside its range.

    Source: Polyak and Juditsky 1992, through `torch.optim.ASGD`.
    """
    check_at_least(0, lr=lr, lambd=lambd, alpha=alpha, t0=t0, weight_decay=weight_decay)
    return optim.ASGD(as_groups(params), lr=lr, lambd=lambd, alpha=alpha, t0=t0, weight_decay=weight_decay)


def rmsprop(
    params: Params,
    *,
    lr: float = 0.002,
    alpha: float = 0.99,
    eps: float = 1e-8,
    momentum: float = 0.0,
    centered: bool = False,
    weight_decay: float = 0.0,
) -> optim.RMSprop:
    """Build steps that are divided by the root of the gradient's running mean square.

    Args:
        params: Parameters, or groups of them.
        lr: Learning rate, at least 0.
        alpha: Decay of the mean square, in [0, 1).
        eps: Added to the denominator, above 0.
        momentum: Share of the last step that is taken again, in [0, 1).
        centered: Whether the gradient's variance is used in place of its mean square.
        weight_decay: L2 penalty, at least 0.

    Raises:
        ValueError: If an option is outside its range.

    Source: Tieleman and Hinton 2012; centred: Graves 2013; through `torch.optim.RMSprop`.
    """
    check_at_least(0, lr=lr, weight_decay=weight_decay)
    check_above(0, eps=eps)
    check_fraction(alpha=alpha, momentum=momentum)
    return optim.RMSprop(
        as_groups(params),
        lr=lr,
        alpha=alpha,
        eps=eps,
        momentum=momentum,
        centered=centered,
        weight_decay=weight_decay,
    )


def rprop(
    params: Params,
    *,
    lr: float = 0.0005,
    etas: Sequence[float] = (0.5, 1.2),
    step_sizes: Sequence[float] = (1e-6, 0.01),
) -> optim.Rprop:
    """Build steps of the gradient's sign, longer while it stays and shorter when it flips.

    It is meant for gradients of the whole set; over small batches the signs flip by chance, and the longest step is
    therefore 0.01 here, where torch has 50. It has no weight decay.

    Args:
        params: Parameters, or groups of them.
        lr: The first step's length, at least 0.
        etas: Factors of a step's length when the sign flips, in (0, 1), and when it stays, above 1.
        step_sizes: The shortest and the longest step, at least 0, the second no less than the first.

    Raises:
        ValueError: If an option is outside its range.

    Source: Riedmiller and Braun 1993, through `torch.optim.Rprop`.
    """
    check_at_least(0, lr=lr)
    if len(etas) != 2 or not 0 < etas[0] < 1 < etas[1]:
        raise ValueError(f"etas must be a number in (0, 1) and one above 1, not {list(etas)!r}")
    if len(step_sizes) != 2 or not 0 <= step_sizes[0] <= step_sizes[1]:
        raise ValueError(f"step_sizes must be two numbers of at least 0 in rising order, not {list(step_sizes)!r}")
    return optim.Rprop(as_groups(params), lr=lr, etas=(etas[0], etas[1]), step_sizes=(step_sizes[0], step_sizes[1]))


def adagrad(
    params: Params,
    *,
    lr: float = 0.03,
    lr_decay: float = 0.0,
    initial_accumulator_value: float = 0.0,
    eps: float = 1e-10,
    weight_decay: float = 0.0,
    fused: bool | None = None,
) -> optim.Adagrad:
    """Build steps that are divided by the root of the sum of all squared gradients so far.

    Args:
        params: Parameters, or groups of them.
        lr: Learning rate, at least 0.
        lr_decay: How fast the rate decays beside, at least 0.
        initial_accumulator_value: What the sum starts with, at least 0.
        eps: Added to the denominator, above 0.
        weight_decay: L2 penalty, at least 0.
        fused: Whether one kernel does the whole step; left out, wherever torch has one.

    Raises:
        ValueError: If an option is outside its range.

    Source: Duchi, Hazan and Singer 2011, through `torch.optim.Adagrad`.
    """
    check_at_least(
        0,
        lr=lr,
        lr_decay=lr_decay,
        initial_accumulator_value=initial_accumulator_value,
        weight_decay=weight_decay,
    )
    check_above(0, eps=eps)
    groups = as_groups(params)
    return optim.Adagrad(
        groups,
        lr=lr,
        lr_decay=lr_decay,
        initial_accumulator_value=initial_accumulator_value,
        eps=eps,
        weight_decay=weight_decay,
        fused=choose_fused(groups, fused, ADAGRAD_DEVICES),
    )


def adadelta(
    params: Params,
    *,
    lr: float = 1.0,
    rho: float = 0.9,
    eps: float = 1e-6,
    weight_decay: float = 0.0,
) -> optim.Adadelta:
    """Build steps scaled by the ratio of past steps to past gradients, so that no rate need be chosen.

    Args:
        params: Parameters, or groups of them.
        lr: Factor of the step, at least 0.
        rho: Decay of both mean squares, in [0, 1).
        eps: Added to both mean squares, above 0.
        weight_decay: L2 penalty, at least 0.

    Raises:
        ValueError: If an option is outside its range.

    Source: Zeiler 2012, through `torch.optim.Adadelta`.
    """
    check_at_least(0, lr=lr, weight_decay=weight_decay)
    check_above(0, eps=eps)
    check_fraction(rho=rho)
    return optim.Adadelta(as_groups(params), lr=lr, rho=rho, eps=eps, weight_decay=weight_decay)
