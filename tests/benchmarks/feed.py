"""How fast images reach the loop: zoo's reading threads beside torchvision's usual DataLoader, in turns.

Run ``python tests/benchmarks/feed.py`` on a machine that does nothing else. Both decode the same JPEGs, resize them to
one size, mirror half of them and normalise them to float batches; nothing is trained.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

import zoo
from zoo.data import Preparation, Reader, TrainingBatches, held
from zoo.data.augmentation import Augmenter

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BATCH = 64


def photographs(root: Path, count: int, size: tuple[int, int]) -> None:
    """Write JPEGs of (H, W) pixels, waves with some noise, in two classes."""
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]]
    for index in range(count):
        generator = np.random.default_rng(index)
        waves = [np.sin(columns / generator.uniform(5, 60)) + np.cos(rows / generator.uniform(5, 60)) for _ in range(3)]
        pixels = np.stack(waves, 2) * 60 + 128 + generator.normal(0, 9, (*size, 3))
        path = root / "train" / "ab"[index % 2] / f"{index:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=90)
    test = root / "test"
    for name in "ab":
        (test / name).mkdir(parents=True)
        first = next((root / "train" / name).iterdir())
        (test / name / first.name).write_bytes(first.read_bytes())


def by_zoo(root: Path, side: int, readers: int) -> Callable[[int], Iterator[Tensor]]:
    """Return what yields an epoch's inputs by zoo."""
    data = held(zoo.create("datasets", "folder", root=str(root), stream=True), (side, side), "cpu")
    reader = Reader(data.train, readers)
    flip = zoo.create("augmentations", "flip")
    augment = Augmenter([flip], seed=0, num_samples=len(data.train), fetch=reader.batch)
    prepare = Preparation(MEAN, STD, memory_format=torch.channels_last)
    batches = TrainingBatches(data.train, BATCH, seed=0, prepare=prepare, augment=augment, reader=reader)
    return lambda epoch: (batch.inputs for window in batches.windows(epoch) for batch in window)


def by_torchvision(root: Path, side: int, workers: int) -> Callable[[int], Iterator[Tensor]]:
    """Return what yields an epoch's inputs by a DataLoader with processes, which stay from epoch to epoch."""
    steps = [v2.PILToTensor(), v2.Resize((side, side), antialias=True), v2.RandomHorizontalFlip()]
    changes = v2.Compose([*steps, v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)])
    images = ImageFolder(str(root / "train"), changes)
    loader = DataLoader(images, BATCH, shuffle=True, num_workers=workers, persistent_workers=True)
    return lambda _: (inputs for inputs, _ in loader)


def rate(epoch: Iterator[Tensor]) -> float:
    """Return images a second over an epoch."""
    start = time.perf_counter()
    count = sum(len(inputs) for inputs in epoch)
    return count / (time.perf_counter() - start)


def main() -> None:
    """Measure and print the medians and their ratio."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--readers", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        photographs(root, given.images, (375, 500))
        feeds = {
            "zoo": by_zoo(root, given.side, given.readers),
            "DataLoader": by_torchvision(root, given.side, given.readers),
        }
        rates: dict[str, list[float]] = {name: [] for name in feeds}
        for number in range(given.rounds + 1):
            for name, feed in feeds.items():
                found = rate(feed(number))
                if number:  # the first one starts processes and fills the system's cache
                    rates[name].append(found)
    for name, found in rates.items():
        print(f"{name}: {statistics.median(found):,.0f} images/s ({min(found):,.0f} to {max(found):,.0f})")
    pairs = [one / other for one, other in zip(*rates.values(), strict=True)]
    print(f"ratio: {statistics.median(pairs):.2f} ({min(pairs):.2f} to {max(pairs):.2f})")


if __name__ == "__main__":
    main()
