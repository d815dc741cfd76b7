"""Well-known nets for small images, as published, for comparison with others' numbers."""

from __future__ import annotations

from torch import nn

from zoo_cnn.sizes import require_size


def lenet5(*, num_classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Sequential:
    """Build LeNet-5: two convolutions with average pooling, three dense layers, tanh; 61,706 parameters on MNIST.

    Args:
        num_classes: K, at least 1.
        in_channels: C, at least 1.
        image_size: (H, W), in pixels, each at least 12.

    Returns:
        A module that maps inputs (N, C, H, W), floating, to logits (N, K), not normalised.

    Raises:
        zoo.UsageError: If *image_size* is too small.

    Source: LeCun et al. 1998. Changed: all maps of the second convolution see all of the first, pooling has no weights,
    the last layer is linear; the first convolution pads what the paper padded beforehand, 28 to 32.
    """
    require_size("lenet5", image_size, 12)
    height, width = (_half(_half(side) - 4) for side in image_size)
    return nn.Sequential(
        nn.Conv2d(in_channels, 6, 5, padding=2),
        nn.Tanh(),
        # Rounded up: an odd last row would otherwise be thrown away, and with it a row of pixels.
        nn.AvgPool2d(2, ceil_mode=True),
        nn.Conv2d(6, 16, 5),
        nn.Tanh(),
        nn.AvgPool2d(2, ceil_mode=True),
        nn.Flatten(),
        nn.Linear(16 * height * width, 120),
        nn.Tanh(),
        nn.Linear(120, 84),
        nn.Tanh(),
        nn.Linear(84, num_classes),
    )


def pytorch_mnist(*, num_classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Sequential:
    """Build the net of PyTorch's MNIST example; 1,199,882 parameters on MNIST.

    Args:
        num_classes: K, at least 1.
        in_channels: C, at least 1.
        image_size: (H, W), in pixels, each at least 6.

    Returns:
        A module that maps inputs (N, C, H, W), floating, to logits (N, K), not normalised.

    Raises:
        zoo.UsageError: If *image_size* is too small.

    Source: pytorch/examples, mnist/main.py. Changed: it ends with the logits, without log_softmax.
    """
    require_size("pytorch_mnist", image_size, 6)
    height, width = (_half(side - 4) for side in image_size)
    return nn.Sequential(
        nn.Conv2d(in_channels, 32, 3),
        nn.ReLU(inplace=True),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(64 * height * width, 128),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Linear(128, num_classes),
    )


def _half(side: int) -> int:
    return -(-side // 2)
