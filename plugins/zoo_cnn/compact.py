"""One compact net, pooling after each convolution, in three kinds: plain, with batch norm, with dropout too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import nn

from zoo_cnn.sizes import require_size

SMALLEST = 12
"""Pixels; below it the last convolution would see little but padding."""

FIRST = 5
"""Pixels, the side of the first convolution's kernel."""

MARGINS = {"same": FIRST // 2, "valid": 0}
"""Blank pixels that the first convolution puts around the image, by the words of ``padding``."""

GRID = 4
"""The classifier sees at most GRID x GRID places, so that its parameters do not grow with the image."""


def cnn(
    *,
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
    widths: Sequence[int] = (16, 32, 64),
    padding: str = "same",
) -> nn.Sequential:
    """Build a plain convolutional classifier: for each width a convolution, pooling, ReLU; then a linear layer.

    Args:
        num_classes: K, at least 1.
        in_channels: C, at least 1.
        image_size: (H, W), in pixels, each at least 12.
        widths: Output channels of each convolution, first to last, each at least 1.
        padding: Of the first convolution: same keeps the image's size; valid takes 2 pixels off each side, and a fifth
            of a step's time on MNIST, whose digits have a blank margin.

    Returns:
        A module that maps inputs (N, C, H, W), floating, to logits (N, K), not normalised.

    Raises:
        ValueError: If *widths* is empty or has a number below 1, or *padding* is another word.
        zoo.UsageError: If *image_size* is too small.
    """
    require_size("cnn", image_size, SMALLEST)
    return _compact(num_classes, in_channels, image_size, widths, padding, p=0.0, batch_norm=False)


def cnn_batchnorm(
    *,
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
    widths: Sequence[int] = (16, 32, 64),
    padding: str = "same",
) -> nn.Sequential:
    """Build `cnn` with batch norm after each convolution.

    Args:
        num_classes: K, at least 1.
        in_channels: C, at least 1.
        image_size: (H, W), in pixels, each at least 12.
        widths: Output channels of each convolution, first to last, each at least 1.
        padding: Of the first convolution: same keeps the image's size; valid takes 2 pixels off each side, and a fifth
            of a step's time on MNIST, whose digits have a blank margin.

    Returns:
        A module that maps inputs (N, C, H, W), floating, to logits (N, K), not normalised.

    Raises:
        ValueError: If *widths* is empty or has a number below 1, or *padding* is another word.
        zoo.UsageError: If *image_size* is too small.

    Source: batch normalisation: Ioffe and Szegedy 2015.
    """
    require_size("cnn_batchnorm", image_size, SMALLEST)
    return _compact(num_classes, in_channels, image_size, widths, padding, p=0.0, batch_norm=True)


def cnn_dropout(
    *,
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
    widths: Sequence[int] = (16, 32, 64),
    p: float = 0.25,
    batch_norm: bool = True,
    padding: str = "same",
) -> nn.Sequential:
    """Build `cnn` with dropout before its linear layer, and batch norm after each convolution.

    Args:
        num_classes: K, at least 1.
        in_channels: C, at least 1.
        image_size: (H, W), in pixels, each at least 12.
        widths: Output channels of each convolution, first to last, each at least 1.
        p: Probability that a feature is zeroed in training, in [0, 1). 0 turns dropout off.
        batch_norm: Whether the channels are normalised over the batch.
        padding: Of the first convolution: same keeps the image's size; valid takes 2 pixels off each side, and a fifth
            of a step's time on MNIST, whose digits have a blank margin.

    Returns:
        A module that maps inputs (N, C, H, W), floating, to logits (N, K), not normalised.

    Raises:
        ValueError: If *p* is outside [0, 1), *widths* is empty or has a number below 1, or *padding* is another word.
        zoo.UsageError: If *image_size* is too small.

    Source: dropout: Srivastava et al. 2014; batch normalisation: Ioffe and Szegedy 2015.
    """
    if not 0 <= p < 1:
        raise ValueError(f"p must be in [0, 1), not {p!r}")
    require_size("cnn_dropout", image_size, SMALLEST)
    return _compact(num_classes, in_channels, image_size, widths, padding, p=p, batch_norm=batch_norm)


def _compact(
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
    widths: Sequence[int],
    padding: str,
    *,
    p: float,
    batch_norm: bool,
) -> nn.Sequential:
    if not widths or not all(isinstance(width, int) and width >= 1 for width in widths):
        raise ValueError(f"widths must be one whole number or more, each at least 1, not {list(widths)!r}")
    if padding not in MARGINS:
        raise ValueError(f"padding must be 'same' or 'valid', not {padding!r}")
    margin = MARGINS[padding]
    places = [_after_pooling(side + 2 * margin - FIRST + 1, len(widths)) for side in image_size]
    grid = [min(side, GRID) for side in places]
    return nn.Sequential(
        *_features(in_channels, widths, margin, batch_norm),
        *([nn.AdaptiveAvgPool2d((grid[0], grid[1]))] if grid != places else []),
        nn.Flatten(),
        *([nn.Dropout(p)] if p > 0 else []),
        nn.Linear(widths[-1] * grid[0] * grid[1], num_classes),
    )


def _features(in_channels: int, widths: Sequence[int], margin: int, batch_norm: bool) -> Iterator[nn.Module]:
    """Yield the layers before the classifier: (N, C, H, W) to (N, widths[-1], H', W')."""
    channels = in_channels
    for place, width in enumerate(widths):
        size, around = (FIRST, margin) if place == 0 else (3, 1)
        # Batch norm subtracts the mean, so that a bias before it would never change anything, nor get a gradient.
        yield nn.Conv2d(channels, width, size, padding=around, bias=not batch_norm)
        # Pooling first: the layers after it then have a quarter of the work, and ReLU gives the same either way.
        # Rounded up: an odd last row would otherwise be thrown away.
        yield nn.MaxPool2d(2, ceil_mode=True)
        if batch_norm:
            yield nn.BatchNorm2d(width)
        yield nn.ReLU(inplace=True)
        channels = width


def _after_pooling(side: int, times: int) -> int:
    for _ in range(times):
        side = -(-side // 2)
    return side
