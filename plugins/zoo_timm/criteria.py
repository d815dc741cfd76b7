"""timm's losses, for labels and, where the loss can, for soft targets."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

import zoo
from zoo_timm.library import losses

Criterion = Callable[[Tensor, Tensor], Tensor]


def label_smoothing_cross_entropy(*, smoothing: float = 0.1) -> Criterion:
    """Build cross-entropy with label smoothing. Soft targets are smoothed, too.

    Args:
        smoothing: Share of the target that is spread evenly over all classes, in [0, 1).

    Raises:
        ValueError: If *smoothing* is outside its range.

    Source: Szegedy et al. 2016, through timm's LabelSmoothingCrossEntropy.
    """
    _check_smoothing(smoothing)
    labels, soft = losses.LabelSmoothingCrossEntropy(smoothing), losses.SoftTargetCrossEntropy()

    def criterion(logits: Tensor, targets: Tensor) -> Tensor:
        if not targets.is_floating_point():
            return _scalar(labels(logits, targets))
        return _scalar(soft(logits, targets * (1 - smoothing) + smoothing / logits.shape[1]))

    return criterion


def soft_target_cross_entropy() -> Criterion:
    """Build cross-entropy against distributions; a label is the distribution that is sure of it.

    Source: timm's SoftTargetCrossEntropy.
    """
    return _dense(losses.SoftTargetCrossEntropy())


def binary_cross_entropy(
    *, smoothing: float = 0.1, target_threshold: float | None = None, sum_classes: bool = False
) -> Criterion:
    """Build binary cross-entropy, one decision a class.

    Args:
        smoothing: Share of a label that is spread evenly over all classes, in [0, 1). Soft targets stay as they are.
        target_threshold: Targets above it count as 1, the others as 0; left out, they count as they are.
        sum_classes: Whether classes are summed up rather than averaged.

    Raises:
        ValueError: If *smoothing* is outside its range.

    Source: Wightman et al. 2021, through timm's BinaryCrossEntropy.
    """
    _check_smoothing(smoothing)
    return _module(losses.BinaryCrossEntropy(smoothing, target_threshold=target_threshold, sum_classes=sum_classes))


def asymmetric_loss_single_label(*, gamma_pos: float = 1.0, gamma_neg: float = 4.0, eps: float = 0.1) -> Criterion:
    """Build the asymmetric loss over a softmax, which cares less for classes that are told apart already.

    Args:
        gamma_pos: Focusing power of the label's class, at least 0.
        gamma_neg: Focusing power of the other classes, at least 0.
        eps: Label smoothing, in [0, 1).

    Raises:
        ValueError: If *eps* is outside its range.

    Source: Ridnik et al. 2021, through timm's AsymmetricLossSingleLabel.
    """
    _check_smoothing(eps)
    return _labels_only("asymmetric_loss_single_label", losses.AsymmetricLossSingleLabel(gamma_pos, gamma_neg, eps))


def asymmetric_loss_multi_label(
    *, gamma_neg: float = 4.0, gamma_pos: float = 1.0, clip: float = 0.05, smoothing: float = 0.0
) -> Criterion:
    """Build the asymmetric loss over a sigmoid a class, summed over classes.

    Args:
        gamma_neg: Focusing power of absent classes, at least 0.
        gamma_pos: Focusing power of present classes, at least 0.
        clip: Probability up to which an absent class costs nothing, in [0, 1).
        smoothing: How far each target moves towards one half, in [0, 1).

    Raises:
        ValueError: If *smoothing* is outside its range.

    Source: Ridnik et al. 2021, through timm's AsymmetricLossMultiLabel.
    """
    _check_smoothing(smoothing)
    return _dense(losses.AsymmetricLossMultiLabel(gamma_neg, gamma_pos, clip, smoothing=smoothing))


def poly_cross_entropy(*, epsilon: float = 2.0, smoothing: float = 0.0) -> Criterion:
    """Build cross-entropy plus a term that is linear in the target's probability.

    Args:
        epsilon: That term's coefficient; 0 gives cross-entropy.
        smoothing: Share of a label that is spread evenly over all classes, in [0, 1). Soft targets stay as they are.

    Raises:
        ValueError: If *smoothing* is outside its range.

    Source: Leng et al. 2022, Poly-1, through timm's PolyCrossEntropy.
    """
    _check_smoothing(smoothing)
    return _module(losses.PolyCrossEntropy(epsilon, smoothing))


def poly_binary_cross_entropy(*, epsilon: float = 2.0, gamma: float = 0.0, smoothing: float = 0.0) -> Criterion:
    """Build binary cross-entropy, one decision a class, plus a term that is linear in the target's probability.

    Args:
        epsilon: That term's coefficient; 0 gives binary cross-entropy.
        gamma: Focusing power, at least 0; 0 gives none.
        smoothing: How far each target moves towards one half, in [0, 1).

    Raises:
        ValueError: If *smoothing* is outside its range.

    Source: Leng et al. 2022, Poly-1, through timm's PolyBinaryCrossEntropy.
    """
    _check_smoothing(smoothing)
    return _dense(losses.PolyBinaryCrossEntropy(epsilon, gamma, smoothing=smoothing))


def zlpr_loss() -> Criterion:
    """Build the ranking loss that pushes the label's logit above 0 and all others below it.

    Source: Su et al. 2022, through timm's ZlprLoss.
    """
    loss = losses.ZlprLoss()
    return _labels_only("zlpr_loss", lambda logits, labels: loss(logits, _as_dense(labels, logits)))


def _module(loss: Criterion) -> Criterion:
    """Return a criterion that takes both kinds of targets itself; none of timm's has parameters to move or save."""

    def criterion(logits: Tensor, targets: Tensor) -> Tensor:
        return _scalar(loss(logits, targets))

    return criterion


def _dense(loss: Criterion) -> Criterion:
    """Return a criterion that is given (N, K) targets, whatever it gets."""
    return _module(lambda logits, targets: loss(logits, _as_dense(targets, logits)))


def _labels_only(name: str, loss: Criterion) -> Criterion:
    def criterion(logits: Tensor, targets: Tensor) -> Tensor:
        if targets.is_floating_point():
            raise zoo.UsageError(
                f"{name} takes labels, not soft targets; use another criterion, or no augmentation that mixes images"
            )
        return _scalar(loss(logits, targets))

    return criterion


def _as_dense(targets: Tensor, logits: Tensor) -> Tensor:
    """Return *targets*, int64 (N,) or floating (N, K), as (N, K) of the logits' type."""
    if targets.is_floating_point():
        return targets.to(logits.dtype)
    return nn.functional.one_hot(targets, logits.shape[1]).to(logits.dtype)


def _scalar(loss: object) -> Tensor:
    assert isinstance(loss, torch.Tensor)  # noqa: S101 - for the type checker, since timm states none
    return loss


def _check_smoothing(smoothing: float) -> None:
    if not 0 <= smoothing < 1:
        raise ValueError(f"label smoothing must be in [0, 1), not {smoothing!r}")
