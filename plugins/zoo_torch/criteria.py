"""Criteria: each maps logits and targets to a scalar loss, the mean over the batch.

Logits are floating (N, K), not normalised. Targets are labels, int64 (N,), or, where a criterion takes soft ones,
floating (N, K). `denominator` says over how much a batch's mean was taken, so that means of parts of a batch can be
put together exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the field's name

import zoo
from zoo_torch.checks import check_above, check_at_least, check_fraction

Weights: TypeAlias = Sequence[float] | Mapping[str, float] | Literal["balanced"] | None
"""One number a class, numbers by class name, or the inverse of the classes' frequencies; a run makes the first of the
others, and records it."""

_NO_LABEL = -100  # what torch ignores by default; no dataset has it


class cross_entropy:  # noqa: N801 - a registered name equals its builder's
    """Negative log-likelihood of the label under the softmax of the logits.

    Targets may be soft. With class weights, the mean over labels is weighted by them, as in torch.

    Args:
        label_smoothing: Share of the probability that is spread evenly over all classes, in [0, 1).
        weight: K numbers of at least 0, one for each class; numbers by class name, 1 for the rest; ``"balanced"`` for
            the inverse of the classes' frequencies; or None for all alike. Above 0 where labels are smoothed.
        ignore_index: A label whose samples count for nothing, or None.

    Raises:
        ValueError: If an option is outside its range.

    Source: label smoothing: Szegedy et al. 2016; through `torch.nn.functional.cross_entropy`.
    """

    def __init__(
        self, *, label_smoothing: float = 0.0, weight: Weights = None, ignore_index: int | None = None
    ) -> None:
        check_fraction(label_smoothing=label_smoothing)
        self._smoothing = label_smoothing
        self._weight = _class_weights(weight)
        # The smoothed share is weighted by its own classes, not by the label's: a sample of weight 0 would still cost.
        if label_smoothing and self._weight is not None and not self._weight.all():
            raise ValueError(f"weight must be above 0 for each class where labels are smoothed, not {weight!r}")
        self._ignored = _NO_LABEL if ignore_index is None else ignore_index
        self._plain = weight is None and ignore_index is None

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss, a scalar, of *logits* (N, K) for *targets*, int64 (N,) or floating (N, K)."""
        if self._counts_samples(targets):
            return F.cross_entropy(logits, targets, self._weight_for(logits), label_smoothing=self._smoothing)
        total = F.cross_entropy(
            logits,
            targets,
            self._weight_for(logits),
            ignore_index=self._ignored,
            reduction="sum",
            label_smoothing=self._smoothing,
        )
        counted = self._counted(targets)
        # A batch that counts for nothing has the loss 0; torch's own mean would be 0 / 0.
        return total / torch.where(counted > 0, counted, 1)

    def denominator(self, targets: Tensor) -> Tensor | int:
        """Return what the mean over *targets* is taken over: samples, or the weights of those that count, a scalar."""
        return targets.shape[0] if self._counts_samples(targets) else self._counted(targets)  # len() is slow

    def _counts_samples(self, targets: Tensor) -> bool:
        return self._plain or targets.is_floating_point()

    def _counted(self, targets: Tensor) -> Tensor:
        counted = targets != self._ignored
        if self._weight is None:
            return counted.sum()
        weight = self._weight.to(targets.device)
        return (weight[torch.where(counted, targets, 0)] * counted).sum()

    def _weight_for(self, logits: Tensor) -> Tensor | None:
        self._weight = _fitted(self._weight, logits)
        return self._weight


class bce:  # noqa: N801 - a registered name equals its builder's
    """Binary cross-entropy of each class against all others, the mean over samples and classes.

    Targets may be soft.

    Args:
        label_smoothing: Share of the target that is spread evenly over all classes, in [0, 1).

    Raises:
        ValueError: If the option is outside its range.

    Source: one-versus-all training: Wightman et al. 2021.
    """

    def __init__(self, *, label_smoothing: float = 0.0) -> None:
        check_fraction(label_smoothing=label_smoothing)
        self._smoothing = label_smoothing

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss, a scalar, of *logits* (N, K) for *targets*, int64 (N,) or floating (N, K)."""
        soft = _smoothed(_as_soft(targets, logits), self._smoothing)
        return F.binary_cross_entropy_with_logits(logits, soft)


class mse:  # noqa: N801 - a registered name equals its builder's
    """Squared distance of the logits from the one-hot label, the mean over samples and classes.

    Targets may be soft. There is no softmax: the logits themselves are to become 0 and 1.

    Source: Hui and Belkin 2021.
    """

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss, a scalar, of *logits* (N, K) for *targets*, int64 (N,) or floating (N, K)."""
        return F.mse_loss(logits, _as_soft(targets, logits))


class multi_margin:  # noqa: N801 - a registered name equals its builder's
    """Hinge loss: every logit that comes within a margin of the label's costs.

    Args:
        margin: By how much the label's logit must lead, above 0.
        p: The power of what is missing, 1 or 2.
        weight: K numbers of at least 0, the cost of a sample of each class, or as for `cross_entropy`, or None for all
            alike. The mean is over samples, as in torch.

    Raises:
        ValueError: If an option is outside its range.

    Source: Weston and Watkins 1999, through `torch.nn.functional.multi_margin_loss`, which divides by K.
    """

    def __init__(self, *, margin: float = 1.0, p: int = 1, weight: Weights = None) -> None:
        check_above(0, margin=margin)
        if p not in (1, 2):
            raise ValueError(f"p must be 1 or 2, not {p!r}")
        self._margin, self._p, self._weight = margin, p, _class_weights(weight)

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss, a scalar, of *logits* (N, K) for *targets*, int64 (N,).

        Raises:
            zoo.UsageError: If the targets are soft.
        """
        if targets.is_floating_point():
            raise zoo.UsageError(
                "multi_margin takes labels, not soft targets; "
                "use another criterion, or no augmentation that mixes images"
            )
        self._weight = _fitted(self._weight, logits)
        return F.multi_margin_loss(logits, targets, p=self._p, margin=self._margin, weight=self._weight)


class focal:  # noqa: N801 - a registered name equals its builder's
    """Cross-entropy in which a class counts the less, the likelier it is held already.

    Targets may be soft: sum over classes of t (1 - p) ** gamma (-log p), p the softmax of the logits, t the target.

    Args:
        gamma: The power, at least 0. 0 gives cross-entropy.
        label_smoothing: Share of the target that is spread evenly over all classes, in [0, 1).
        weight: K numbers of at least 0, alpha in the paper, or as for `cross_entropy`, or None for all alike. The mean
            is over samples.

    Raises:
        ValueError: If an option is outside its range.

    Source: Lin et al. 2017. Changed: over a softmax in place of one sigmoid a class.
    """

    def __init__(self, *, gamma: float = 2.0, label_smoothing: float = 0.0, weight: Weights = None) -> None:
        check_at_least(0, gamma=gamma)
        check_fraction(label_smoothing=label_smoothing)
        self._gamma, self._smoothing, self._weight = gamma, label_smoothing, _class_weights(weight)

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss, a scalar, of *logits* (N, K) for *targets*, int64 (N,) or floating (N, K)."""
        log_p = F.log_softmax(logits, dim=1)
        soft = _smoothed(_as_soft(targets, logits), self._smoothing)
        self._weight = _fitted(self._weight, logits)
        if self._weight is not None:
            soft = soft * self._weight
        # 1 - p by expm1 keeps what is left of it near 1; the floor keeps the slope of a power below 1 finite there.
        missing = (-torch.expm1(log_p)).clamp(min=1e-8)
        return -(soft * missing**self._gamma * log_p).sum(1).mean()


def _class_weights(weight: Weights) -> Tensor | None:
    if weight is None:
        return None
    if isinstance(weight, str | Mapping):
        raise ValueError(f"weight {weight!r} is for a run, which knows the classes; here it takes one number a class")
    values = torch.tensor(list(weight), dtype=torch.float32)
    if values.ndim != 1 or not values.isfinite().all() or (values < 0).any() or not values.any():
        raise ValueError(f"weight must be numbers of at least 0, not all 0, one for each class, not {list(weight)!r}")
    return values


def _fitted(weight: Tensor | None, logits: Tensor) -> Tensor | None:
    """Return *weight* beside *logits*, moved there once, in their type.

    Raises:
        zoo.UsageError: If there are not as many weights as classes.
    """
    if weight is None:
        return None
    if len(weight) != logits.shape[1]:
        raise zoo.UsageError(f"weight must have {logits.shape[1]} numbers, one for each class, not {len(weight)}")
    return weight.to(logits.device, logits.dtype)


def _as_soft(targets: Tensor, logits: Tensor) -> Tensor:
    """Return *targets*, int64 (N,) or floating (N, K), as (N, K) of the logits' type."""
    if targets.is_floating_point():
        return targets.to(logits.dtype)
    return torch.zeros_like(logits).scatter_(1, targets[:, None], 1)


def _smoothed(soft: Tensor, smoothing: float) -> Tensor:
    return soft.mul(1 - smoothing).add_(smoothing / soft.shape[1]) if smoothing else soft
