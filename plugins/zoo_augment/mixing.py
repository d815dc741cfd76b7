"""Mixing two training samples into one, with their labels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from zoo_augment.boxes import box_mask
from zoo_augment.ranges import above_zero, within

if TYPE_CHECKING:
    from zoo import Draws


class Mixup:
    """Blend each sample with a partner: a share of its own image and label, and the rest of the partner's.

    Args:
        num_classes: K.
        alpha: Of the Beta(alpha, alpha) distribution of the share.
        probability: Of a sample to be mixed.
    """

    soft_targets = True

    def __init__(self, num_classes: int, alpha: float, probability: float) -> None:
        self.num_classes = num_classes
        self.alpha = alpha
        self.probability = probability

    def __call__(self, inputs: Tensor, targets: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Map inputs (B, C, H, W) and targets, (B,) or (B, K), to inputs and soft targets (B, K)."""
        share = kept_share(draws, self.alpha, self.probability)
        others, other_targets = draws.partners()
        mixed = torch.lerp(others, inputs, share.view(-1, 1, 1, 1).to(inputs.dtype))
        return mixed, blend_targets(targets, other_targets, share, self.num_classes)


class Cutmix:
    """Paste a rectangle of a partner into each image; the label's shares are those of the pixels.

    Args:
        num_classes: K.
        alpha: Of the Beta(alpha, alpha) distribution of the share of the image's area that is kept.
        probability: Of a sample to be mixed.
    """

    soft_targets = True

    def __init__(self, num_classes: int, alpha: float, probability: float) -> None:
        self.num_classes = num_classes
        self.alpha = alpha
        self.probability = probability

    def __call__(self, inputs: Tensor, targets: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Map inputs (B, C, H, W) and targets, (B,) or (B, K), to inputs and soft targets (B, K)."""
        side = (1 - kept_share(draws, self.alpha, self.probability)).sqrt()
        down, right = draws.uniform(2).unbind(1)
        height, width = inputs.shape[2:]
        mask = box_mask((height, width), (side, side), (down, right))
        others, other_targets = draws.partners()
        kept = 1 - mask.flatten(1).sum(1) / (height * width)
        return torch.where(mask, others, inputs), blend_targets(targets, other_targets, kept, self.num_classes)


def kept_share(draws: Draws, alpha: float, probability: float) -> Tensor:
    """Return the share that each sample keeps of itself, float32 (B,): 1, or with *probability* Beta(alpha, alpha).

    Source: Bailey 1994's polar method for Student's t with 2 alpha degrees of freedom, and t's relation to the
        symmetric beta; written so that small alphas do not overflow.
    """
    chosen, radius, angle = draws.uniform(3).unbind(1)
    power = radius.pow(1 / alpha)
    leaning = (1 - power).sqrt() * torch.cos(2 * math.pi * angle)
    share = 0.5 + 0.5 * leaning / (power + leaning.square()).sqrt().clamp(min=1e-12)
    return torch.where(chosen < probability, share, 1.0)


def blend_targets(targets: Tensor, others: Tensor, share: Tensor, num_classes: int) -> Tensor:
    """Return ``share * targets + (1 - share) * others``, float32 (B, K).

    Args:
        targets: int64 (B,), or floating (B, K).
        others: As *targets*.
        share: float32 (B,), in [0, 1].
        num_classes: K.
    """
    return torch.lerp(_soft(others, num_classes), _soft(targets, num_classes), share.unsqueeze(1))


def _soft(targets: Tensor, num_classes: int) -> Tensor:
    """Return targets as rows that sum to 1, float32 (B, K)."""
    if targets.ndim == 2:
        return targets
    return functional.one_hot(targets, num_classes).to(torch.float32)


def mixup(*, num_classes: int, alpha: float = 0.2, probability: float = 1.0) -> Mixup:
    """Build an augmentation that blends two samples.

    Args:
        num_classes: K.
        alpha: Above 0. The share of a sample's own image is drawn from Beta(alpha, alpha): small values leave most
            samples nearly unmixed, 1 makes every share as likely.
        probability: Of a sample to be mixed, in [0, 1].

    Raises:
        ValueError: If an option is out of range.

    Source: Zhang et al. 2017, "mixup: Beyond Empirical Risk Minimization". Here each sample has its own share and
        its own partner, out of the whole training set rather than out of the batch.
    """
    return Mixup(num_classes, above_zero("alpha", alpha), within("probability", probability, 0, 1))


def cutmix(*, num_classes: int, alpha: float = 1.0, probability: float = 1.0) -> Cutmix:
    """Build an augmentation that pastes a rectangle of another sample.

    Args:
        num_classes: K.
        alpha: Above 0. The share of the area that is kept is drawn from Beta(alpha, alpha).
        probability: Of a sample to be mixed, in [0, 1].

    Raises:
        ValueError: If an option is out of range.

    Source: Yun et al. 2019, "CutMix". Here each sample has its own rectangle and partner, and the rectangle lies
        wholly in the image.
    """
    return Cutmix(num_classes, above_zero("alpha", alpha), within("probability", probability, 0, 1))
