"""Small made-up image sets, for tests that need some data but not a real one."""

from __future__ import annotations

from dataclasses import replace

import torch

from zoo.data import Dataset, Preparation, TensorImages

MEAN, STD = 0.5, 0.25


def small_split(count: int, *, classes: int = 3, channels: int = 1, size: int = 8, seed: int = 0) -> TensorImages:
    """Return *count* random images, the label visible as a bright row, so that a model can learn it."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    images = torch.randint(0, 128, (count, channels, size, size), dtype=torch.uint8, generator=generator)
    images[torch.arange(count), :, labels % size] = 255
    return TensorImages(images, labels)


def small_dataset(count: int = 60, *, classes: int = 3, channels: int = 1, size: int = 8) -> Dataset:
    """Return a dataset of *count* training and a third as many test images."""
    shape = {"classes": classes, "channels": channels, "size": size}
    return Dataset(
        train=small_split(count, **shape),
        test=small_split(max(1, count // 3), **shape, seed=1),
        classes=[f"class {k}" for k in range(classes)],
        mean=[MEAN] * channels,
        std=[STD] * channels,
    )


def preparation(channels: int = 1) -> Preparation:
    """Return what turns the small images into inputs."""
    return Preparation([MEAN] * channels, [STD] * channels)


def named_dataset(count: int = 60) -> Dataset:
    """Return a `small_dataset` whose images have names, and sizes of files that nobody reads."""
    dataset = small_dataset(count)
    train, test = (
        TensorImages(
            split.images,
            split.labels,
            names=[f"{name}/{index:03}.png" for index in range(len(split))],
            sizes=[100 + index for index in range(len(split))],
        )
        for name, split in (("train", dataset.train), ("test", dataset.test))
        if isinstance(split, TensorImages)
    )
    return replace(dataset, train=train, test=test)
