"""The architectures of this plugin."""

from __future__ import annotations

from torch import nn


def penguin_net(num_classes: int, in_channels: int, *, width: int = 32, p: float = 0.25) -> nn.Module:
    """Build a CNN of two blocks, each convolution, batch norm, ReLU and pooling, with dropout before its head.

    Args:
        num_classes: K, at least 2.
        in_channels: C, 1 for grey or 3 for colour.
        width: Channels of the first block, at least 1; the second has twice as many.
        p: Probability that a feature is zeroed in training, in [0, 1).

    Returns:
        A module that maps inputs (N, C, H, W), floating, of any size from 4 x 4, to logits (N, K), not normalised.

    Raises:
        ValueError: If an option is outside its range.
    """
    if width < 1:
        raise ValueError(f"width must be at least 1, not {width!r}")
    if not 0 <= p < 1:
        raise ValueError(f"p must be in [0, 1), not {p!r}")
    return nn.Sequential(
        *_block(in_channels, width),  # (N, width, H / 2, W / 2)
        *_block(width, 2 * width),  # (N, 2 width, H / 4, W / 4)
        nn.AdaptiveAvgPool2d(4),  # (N, 2 width, 4, 4), whatever the images' size
        nn.Flatten(),
        nn.Dropout(p),
        nn.Linear(2 * width * 4 * 4, num_classes),
    )


def _block(in_channels: int, out_channels: int) -> tuple[nn.Module, ...]:
    return (
        # Batch norm subtracts the mean, so a bias before it would do nothing.
        nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
        # Without ceil_mode the last row and column of an odd size would be left out.
        nn.MaxPool2d(2, ceil_mode=True),
    )
