"""Muon: matrices step along their orthogonalised momentum, everything else by AdamW, in one optimizer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, overload

import torch
from torch import Tensor
from torch.optim import AdamW, Optimizer

from zoo_torch.checks import check_above, check_at_least, check_betas, check_fraction
from zoo_torch.parameters import ADAM_DEVICES, Group, Params, as_groups, choose_fused

# The odd quintic whose repetition drives every singular value towards 1, with the steepest start.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)

_MUCH_WIDER = 2
"""Columns a row from which iterating on the Gram matrix saves work."""

_ON_ONE_GRAM = 5
"""Iterations before it is computed anew."""


def muon(
    params: Params,
    *,
    lr: float = 0.003,
    momentum: float = 0.95,
    nesterov: bool = True,
    ns_steps: int = 5,
    betas: Sequence[float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.01,
    fused: bool | None = None,
) -> Muon:
    """Build Muon for the hidden layers' matrices and convolutions, with AdamW for the rest.

    The rest are biases, norms, embeddings of positions, and the last matrix, which is the classifier. A matrix's step
    has the root mean square of an AdamW step, so that one rate, and one that suits `adamw`, serves both.

    A step costs about 15 matrix products for each matrix, and on a CPU two and 20 of the shorter side, where one
    side is at least twice the other: little beside a convolution, but for wide dense layers on a CPU many times the
    rest of the step.

    Args:
        params: Parameters, or groups of them, in the model's order.
        lr: Learning rate of both parts, at least 0.
        momentum: Decay of the matrices' momentum, in [0, 1).
        nesterov: Whether the gradient is mixed into the momentum once more before it is orthogonalised.
        ns_steps: Newton-Schulz iterations, 1 to 99.
        betas: AdamW's, each in [0, 1).
        eps: AdamW's, above 0.
        weight_decay: Share of the weight, times the rate, that is taken off each step, at least 0.
        fused: Whether AdamW's part is one kernel; left out, wherever torch has one.

    Raises:
        ValueError: If an option is outside its range.

    Source: Jordan et al. 2024; the step's scale: Liu et al. 2025, "Muon is scalable for LLM training". Changed:
    convolutions are taken as matrices (out_channels, the rest), and the CPU multiplies in float32.
    """
    check_at_least(0, lr=lr, weight_decay=weight_decay)
    check_above(0, eps=eps)
    check_fraction(momentum=momentum)
    if not 1 <= ns_steps <= 99:
        raise ValueError(f"ns_steps must be from 1 to 99, not {ns_steps!r}")
    groups = as_groups(params)
    matrix = {"momentum": momentum, "nesterov": nesterov, "ns_steps": ns_steps}
    rest = {"betas": check_betas(betas), "eps": eps, "fused": choose_fused(groups, fused, ADAM_DEVICES)}
    return Muon(split_groups(groups, matrix, rest), lr=lr, weight_decay=weight_decay)


def split_groups(groups: list[Group], matrix: Group, rest: Group) -> list[Group]:
    """Split each group into its matrices and the rest; an empty part is left out.

    Args:
        groups: Groups of parameters in the model's order.
        matrix: What to add to a group of matrices.
        rest: What to add to a group for AdamW.

    Returns:
        Groups with ``"algorithm"``, ``"muon"`` or ``"adamw"``, that hold each parameter once.
    """
    everything = [parameter for group in groups for parameter in group["params"]]
    classifier = next((parameter for parameter in reversed(everything) if _is_matrix(parameter)), None)
    split: list[Group] = []
    for group in groups:
        own: dict[bool, list[Tensor]] = {True: [], False: []}
        for parameter in group["params"]:
            own[_is_matrix(parameter) and parameter is not classifier].append(parameter)
        split.append({**matrix, **group, "params": own[True], "algorithm": "muon"})
        split.append({**rest, **group, "params": own[False], "algorithm": "adamw"})
    return [group for group in split if group["params"]]


class Muon(Optimizer):
    """Muon and AdamW behind one list of groups, one state and one `step`: schedules and checkpoints see one optimizer.

    Args:
        groups: What `split_groups` returns.
        lr: Learning rate of groups without one of their own.
        weight_decay: Weight decay of groups without one of their own.
    """

    def __init__(self, groups: list[Group], *, lr: float, weight_decay: float) -> None:
        super().__init__(groups, {"lr": lr, "weight_decay": weight_decay})
        self._bind()

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Loading a state replaces the groups' dictionaries, so that AdamW must be given the new ones.
        super().__setstate__(state)
        self._bind()

    def _bind(self) -> None:
        """Let AdamW work on its share of these very groups and of this very state."""
        self._matrix_groups = [group for group in self.param_groups if group["algorithm"] == "muon"]
        groups = [group for group in self.param_groups if group["algorithm"] == "adamw"]
        self._adamw = AdamW(groups) if groups else None
        if self._adamw is not None:
            self._adamw.param_groups, self._adamw.state = groups, self.state

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Update every parameter that has a gradient.

        Args:
            closure: Computes the loss anew, if given.

        Returns:
            What *closure* returned, or None.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self._matrix_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._step_matrix(parameter, group)
        if self._adamw is not None:
            self._adamw.step()
        return loss

    def _step_matrix(self, parameter: Tensor, group: Group) -> None:
        gradient, momentum = parameter.grad, group["momentum"]
        assert gradient is not None  # noqa: S101 - the caller looked
        state = self.state[parameter]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
        average = state["momentum_buffer"]
        average.lerp_(gradient, 1 - momentum)
        direction = gradient.lerp(average, momentum) if group["nesterov"] else average
        update = orthogonalise(direction.flatten(1), group["ns_steps"], _product_dtype(parameter))
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        # An orthogonal (A, B) matrix has the root mean square 1 / sqrt(max(A, B)); AdamW's steps have about 0.2.
        scale = 0.2 * math.sqrt(max(update.shape))
        parameter.add_(update.view(parameter.shape), alpha=-group["lr"] * scale)


def orthogonalise(matrix: Tensor, steps: int, dtype: torch.dtype) -> Tensor:
    """Return about U V' of *matrix* = U S V', without a decomposition.

    Args:
        matrix: Floating, (A, B).
        steps: Newton-Schulz iterations; 5 bring singular values of 0.001 to 1 into about 0.7 to 1.2.
        dtype: What the products are computed in.

    Returns:
        (A, B), of type *dtype*.

    Source: Jordan et al. 2024. Changed: in float32, a matrix much wider than tall is multiplied twice, and what lies
        between is computed of its Gram matrix.
    """
    wide = matrix.to(dtype, copy=True)
    tall = wide.shape[0] > wide.shape[1]
    if tall:  # the Gram matrix below is that of the shorter side
        wide = wide.T
    wide.div_(wide.norm().clamp(min=1e-7))  # the spectral norm is now at most 1
    # What rounding adds to the Gram matrix grows up to twelvefold an iteration: too much for bfloat16.
    if wide.shape[1] >= _MUCH_WIDER * wide.shape[0] and dtype.itemsize >= 4:
        for first in range(0, steps, _ON_ONE_GRAM):
            wide = _iterated(wide @ wide.T, min(_ON_ONE_GRAM, steps - first)) @ wide
    else:
        a, b, c = COEFFICIENTS
        for _ in range(steps):
            gram = wide @ wide.T
            wide = torch.addmm(wide, torch.addmm(gram, gram, gram, beta=b, alpha=c), wide, beta=a)
    return wide.T if tall else wide


def _iterated(gram: Tensor, steps: int) -> Tensor:
    """Return what so many iterations multiply a matrix by, whose Gram matrix is *gram*, (A, A).

    An iteration maps X to P X, with a polynomial P of X X', and so X X' to P X X' P. All of it is of the shorter side.
    """
    polynomial = product = _polynomial(gram)
    for _ in range(steps - 1):
        gram = polynomial @ gram @ polynomial
        polynomial = _polynomial(gram)
        product = polynomial @ product
    return product


def _polynomial(gram: Tensor) -> Tensor:
    a, b, c = COEFFICIENTS
    polynomial = torch.addmm(gram, gram, gram, beta=b, alpha=c)
    polynomial.diagonal().add_(a)
    return polynomial


def _is_matrix(parameter: Tensor) -> bool:
    # A first dimension of 1 is a batch's, as in the positions' embedding of a transformer: one long row has no
    # direction but its own, and would only be normalised.
    return parameter.ndim >= 2 and parameter.shape[0] > 1 and parameter[0].numel() > 1


def _product_dtype(parameter: Tensor) -> torch.dtype:
    # Most CPUs emulate bfloat16, slower than float32. The rule is by device alone: a CPU's model changes no bits.
    return torch.float32 if parameter.device.type == "cpu" else torch.bfloat16
