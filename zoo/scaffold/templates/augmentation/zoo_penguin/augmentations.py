"""The augmentations of this plugin."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

import zoo

Augmentation = Callable[[Tensor, Tensor, zoo.Draws], tuple[Tensor, Tensor]]


def penguin_noise(*, strength: float = 0.2) -> Augmentation:
    """Build an augmentation that adds Gaussian noise, of another strength for each image.

    Args:
        strength: The largest standard deviation of the noise, in normalised units, at least 0.

    Returns:
        Maps inputs (B, C, H, W), floating, and their targets to new inputs of the same shape and the same targets.

    Raises:
        ValueError: If *strength* is below 0.
    """
    if not strength >= 0:
        raise ValueError(f"strength must be at least 0, not {strength!r}")

    def augment(inputs: Tensor, targets: Tensor, draws: zoo.Draws) -> tuple[Tensor, Tensor]:
        # All randomness comes from `draws`, which depends on seed, epoch and sample alone: runs repeat, and resume.
        scale = strength * draws.uniform(1, 1, 1)  # (B, 1, 1, 1)
        noise = draws.normal(*inputs.shape[1:])  # (B, C, H, W)
        return inputs + (scale * noise).to(inputs.dtype), targets

    return augment
