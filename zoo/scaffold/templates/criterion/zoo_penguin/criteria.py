"""The criteria of this plugin."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional


def penguin_loss(*, square: float = 0.5) -> Callable[[Tensor, Tensor], Tensor]:
    """Build cross-entropy plus a share of the Brier score, which forgives a wild label more.

    Args:
        square: Weight of the squared distance between probabilities and label, at least 0.

    Returns:
        Maps logits (N, K), floating, and targets, (N,) int64 or (N, K) floating probabilities, to the mean loss.

    Raises:
        ValueError: If *square* is below 0.
    """
    if not square >= 0:
        raise ValueError(f"square must be at least 0, not {square!r}")

    def criterion(logits: Tensor, targets: Tensor) -> Tensor:
        soft = functional.one_hot(targets, logits.shape[1]).to(logits.dtype) if targets.ndim == 1 else targets
        distance = (torch.softmax(logits, dim=1) - soft).square().sum(dim=1)  # (N,)
        return functional.cross_entropy(logits, targets) + square * distance.mean()

    return criterion
