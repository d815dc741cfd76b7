"""Small made-up photographs in folders, for tests of what is read from files."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import zoo
from zoo.data import EncodedImages

CLASSES = ("auk", "gull", "tern")


def photograph(path: Path, label: int, seed: int, size: tuple[int, int] = (24, 32)) -> Path:
    """Write noise of (H, W) pixels with the label as a bright band, JPEG or as the name ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 120, (*size, 3), dtype=np.uint8)
    pixels[label * size[0] // len(CLASSES) : (label + 1) * size[0] // len(CLASSES)] += 120
    Image.fromarray(pixels).save(path)
    return path


def photographs(root: Path, train: int = 30, test: int = 9) -> Path:
    """Write a folder of classes, with every third file a PNG and sizes that differ."""
    for split, count in (("train", train), ("test", test)):
        for index in range(count):
            label = index % len(CLASSES)
            name = f"{index:03}.{'png' if index % 3 == 2 else 'jpg'}"
            seed = index + 1000 * (split == "test")
            photograph(root / split / CLASSES[label] / name, label, seed, (24 + index % 5, 32 - index % 7))
    return root


def encoded(root: Path, split: str = "train", size: tuple[int, int] = (12, 10)) -> EncodedImages:
    """Return the images of a split, in the order of their numbers."""
    paths = sorted((root / split).rglob("*.*"), key=lambda path: path.name)
    labels = torch.tensor([CLASSES.index(path.parent.name) for path in paths])
    source = zoo.ImageFiles(root, [path.relative_to(root) for path in paths])
    return EncodedImages(source, labels, channels=3, size=size)


def reading_threads() -> list[str]:
    """Return the names of the threads that are reading images."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("zoo-reader")]
