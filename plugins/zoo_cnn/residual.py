"""ResNet-9: eight convolutions and a linear layer, the smallest of the residual networks that train fast."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from zoo_cnn.sizes import require_size

SMALLEST = 8
"""Pixels: three poolings leave one place."""


class Residual(nn.Module):
    """Add two convolutions to what goes around them.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(*_convolution(channels, channels), *_convolution(channels, channels))

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        outputs: Tensor = inputs + self.branch(inputs)
        return outputs


def resnet9(
    *,
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
    width: int = 16,
    middle: bool = False,
    p: float = 0.0,
) -> nn.Sequential:
    """Build ResNet-9: a stem, three convolutions with pooling that double the width, residual blocks after two.

    At width 16 it has 0.4 million parameters and, on 28 x 28 images, takes 17 million multiplications a sample, about
    as many in each of its stages.

    Args:
        num_classes: K, at least 1.
        in_channels: C, at least 1.
        image_size: (H, W), in pixels, each at least 8.
        width: Channels of the stem, at least 1; the last stage has eight times as many.
        middle: Whether the second of the three stages has a residual block as well, which makes ten convolutions.
        p: Probability that a feature is zeroed before the classifier in training, in [0, 1).

    Returns:
        A module that maps inputs (N, C, H, W), floating, to logits (N, K), not normalised.

    Raises:
        ValueError: If *width* is below 1 or *p* outside [0, 1).
        zoo.UsageError: If *image_size* is too small.

    Source: Page 2018, "How to train your ResNet", whose width is 64. Changed: the default width; pooling before batch
        norm, which has a quarter of the work then; the largest value over all places, with no scale before the softmax.
    """
    require_size("resnet9", image_size, SMALLEST)
    if width < 1:
        raise ValueError(f"width must be at least 1, not {width!r}")
    if not 0 <= p < 1:
        raise ValueError(f"p must be in [0, 1), not {p!r}")
    return nn.Sequential(
        *_convolution(in_channels, width),
        *_convolution(width, 2 * width, pool=True),
        Residual(2 * width),
        *_convolution(2 * width, 4 * width, pool=True),
        *([Residual(4 * width)] if middle else []),
        *_convolution(4 * width, 8 * width, pool=True),
        Residual(8 * width),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        *([nn.Dropout(p)] if p > 0 else []),
        nn.Linear(8 * width, num_classes),
    )


def _convolution(channels: int, width: int, *, pool: bool = False) -> list[nn.Module]:
    """Return a 3 x 3 convolution, pooling if wanted, batch norm and ReLU."""
    pooling: list[Any] = [nn.MaxPool2d(2)] if pool else []
    # Batch norm subtracts the mean, so a bias before it would change nothing.
    return [
        nn.Conv2d(channels, width, 3, padding=1, bias=False),
        *pooling,
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    ]
