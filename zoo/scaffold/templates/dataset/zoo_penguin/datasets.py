"""The datasets of this plugin."""

from __future__ import annotations

import torch
from torch import Tensor

import zoo

CLASSES = ("disc", "square", "cross")


def penguin_shapes(*, train: int = 3000, test: int = 600, size: int = 28, seed: int = 0) -> zoo.Dataset:
    """Build grey images of three shapes, each at a place and of a size of its own, under noise.

    A dataset that reads files takes ``root: str``, too, the folder that the user names with ``--set data.root=DIR``.

    Args:
        train: Training images, at least 1.
        test: Test images, at least 1.
        size: Pixels on a side, at least 12.
        seed: What the images are drawn from.

    Returns:
        Images uint8 (N, 1, size, size), labels int64 (N,), each of the three shapes equally often.

    Raises:
        ValueError: If an option is outside its range.
    """
    if train < 1 or test < 1:
        raise ValueError(f"train and test must be at least 1, not {train!r} and {test!r}")
    if size < 12:
        raise ValueError(f"size must be at least 12, not {size!r}")
    # One stream of random numbers, cut in two: no test image is a training image.
    images, labels = _draw(train + test, size, torch.Generator().manual_seed(seed))
    pixels = images[:train].float() / 255
    return zoo.Dataset(
        train=zoo.TensorImages(images[:train], labels[:train]),
        test=zoo.TensorImages(images[train:], labels[train:]),
        classes=CLASSES,
        mean=[pixels.mean().item()],
        std=[pixels.std().item()],
    )


def _draw(count: int, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    labels = torch.arange(count) % len(CLASSES)
    radius = (0.15 + 0.2 * torch.rand(count, 1, 1, generator=generator)) * size
    centre = radius + torch.rand(count, 2, 1, generator=generator) * (size - 2 * radius)
    along = torch.arange(size) + 0.5
    down = (along.view(1, -1, 1) - centre[:, :1]).abs() / radius  # (N, H, 1), in radii
    across = (along.view(1, 1, -1) - centre[:, 1:]).abs() / radius  # (N, 1, W)
    shapes = torch.stack(
        [
            down.square() + across.square() <= 1,
            (down <= 0.85) & (across <= 0.85),
            ((down <= 0.3) & (across <= 1)) | ((down <= 1) & (across <= 0.3)),
        ]
    )
    drawn = shapes[labels, torch.arange(count)].float()  # (N, H, W)
    noisy = 0.7 * drawn + 0.3 * torch.rand(count, size, size, generator=generator)
    return (255 * noisy).to(torch.uint8).unsqueeze(1), labels
