"""How fast images reach the loop: zoo's reading threads beside others' loaders, packs and memory, in turns.

    python tests/benchmarks/feed.py COMPARISON [--images 1000] [--rounds 5]

on a machine that does nothing else. COMPARISON is one of

    dataloader   torchvision's ImageFolder and transforms in a DataLoader with two workers
    timm         timm's create_loader with two workers
    hf           Hugging Face's imagefolder with torchvision's transforms in a DataLoader with two workers
    ultralytics  its ClassificationDataset in a DataLoader with two workers
    packed       zoo alone: JPEGs that 'zoo pack' shrank, and pixels that it kept, beside the files
    memory       zoo alone: training resnet18 at 128 pixels while streaming beside the same images in memory

The first four decode the same JPEGs of 500 x 375 pixels, take a random part of each at the wanted size, mirror half of
them and normalise them to float batches; nothing is trained. Packs and their files are decoded and normalised alone.
``pip install datasets ultralytics`` fetches what is not among zoo's own requirements. Each comparison is meant to take
less than three minutes on two cores.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from multiprocessing import active_children
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

import zoo
from zoo.data import Preparation, Reader, TrainingBatches, held
from zoo.data.augmentation import Augmenter
from zoo.data.cutting import Cutting, takes_parts
from zoo.training.memory import keep_freed_memory

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BATCH, WORKERS = 64, 2

Epoch = Callable[[int], tuple[float, float]]
"""Carries out an epoch, by its number; returns images a second, and a second of the processors."""


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


def counted(batches: Callable[[int], Iterator[Tensor]]) -> Epoch:
    """Return what carries out an epoch of batches of inputs and does nothing with them."""

    def epoch(number: int) -> tuple[float, float]:
        start, worked = time.perf_counter(), processor_seconds()
        count = sum(len(inputs) for inputs in batches(number))
        return count / (time.perf_counter() - start), count / (processor_seconds() - worked)

    return epoch


def processor_seconds() -> float:
    """Return what this process and its workers have taken: it hangs little on what else the machine does."""
    total = time.process_time()
    for process in active_children():
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def by_zoo(dataset: str, root: Path, side: int, names: Sequence[str] = ("crop", "flip")) -> Epoch:
    """Return an epoch's inputs by zoo, changed by the augmentations with these names."""
    data = held(zoo.create("datasets", dataset, root=str(root), stream=True), (side, side), "cpu")
    changes = [zoo.create("augmentations", name) for name in names]
    cut = bool(changes) and takes_parts(changes[0])
    reader = Reader(data.train, WORKERS, boxes=Cutting(changes[0], 0, (side, side)) if cut else None)
    augment = Augmenter(changes, seed=0, num_samples=len(data.train), fetch=reader.batch, begun=int(cut))
    prepare = Preparation(MEAN, STD, memory_format=torch.channels_last)
    batches = TrainingBatches(data.train, BATCH, seed=0, prepare=prepare, augment=augment, reader=reader)
    return counted(lambda epoch: (batch.inputs for window in batches.windows(epoch) for batch in window))


def transforms(side: int) -> v2.Compose:
    """Return torchvision's usual training transforms, on tensors, which is their fastest way."""
    steps = [v2.PILToTensor(), v2.RandomResizedCrop((side, side), antialias=True), v2.RandomHorizontalFlip()]
    return v2.Compose([*steps, v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)])


def loaded(images: Dataset[object], key: str | int) -> Epoch:
    """Return an epoch's inputs by a DataLoader whose processes stay from epoch to epoch."""
    loader = DataLoader(images, BATCH, shuffle=True, num_workers=WORKERS, persistent_workers=True)
    return counted(lambda _: (batch[key] for batch in loader))


def by_torchvision(root: Path, side: int) -> Epoch:
    """Return an epoch's inputs by torchvision."""
    return loaded(ImageFolder(str(root / "train"), transforms(side)), 0)


def by_timm(root: Path, side: int) -> Epoch:
    """Return an epoch's inputs by timm, its colour changes turned off."""
    from timm.data import create_dataset, create_loader

    images = create_dataset("", str(root / "train"))
    loader = create_loader(
        images,
        (3, side, side),
        BATCH,
        is_training=True,
        use_prefetcher=False,
        color_jitter=None,
        num_workers=WORKERS,
        persistent_workers=True,
        interpolation="bilinear",
    )
    return counted(lambda _: (inputs for inputs, _ in loader))


def by_hugging_face(root: Path, side: int) -> Epoch:
    """Return an epoch's inputs by Hugging Face's datasets."""
    import datasets

    change = transforms(side)
    rows = datasets.load_dataset("imagefolder", data_dir=str(root), split="train", cache_dir=str(root.parent / "hf"))
    rows.set_transform(lambda found: {"inputs": [change(image.convert("RGB")) for image in found["image"]]})
    return loaded(rows, "inputs")


def by_ultralytics(root: Path, side: int) -> Epoch:
    """Return an epoch's inputs by ultralytics, its colour changes and erasing turned off."""
    from ultralytics.cfg import get_cfg
    from ultralytics.data.dataset import ClassificationDataset

    plain = {"hsv_h": 0.0, "hsv_s": 0.0, "hsv_v": 0.0, "erasing": 0.0, "auto_augment": None}
    settings = get_cfg(overrides={"task": "classify", "imgsz": side, "cache": False, **plain})
    return loaded(ClassificationDataset(str(root / "train"), settings, augment=True, prefix="train"), "img")


def training(root: Path, *, stream: bool) -> Epoch:
    """Return an epoch of training resnet18 at 128 pixels."""
    options = {"data.root": str(root), "data.stream": stream, "data.size": 128}
    given = {"epochs": 1, "batch_size": 32, "validation": 0, "device": "cpu", "threads": WORKERS, "readers": WORKERS}

    def epoch(number: int) -> tuple[float, float]:
        worked = processor_seconds()
        out = root.parent / f"run-{stream}-{number}"
        run = zoo.train("torchvision/resnet18", data="folder", options=options, out=out, augment=["flip"], **given)
        return float(run.summary["samples_per_second"]), run.summary["train"] / (processor_seconds() - worked)

    return epoch


def compared(comparison: str, root: Path, side: int) -> dict[str, Epoch]:
    """Return what is measured in turns; the first is what the others are divided by, or divides them."""
    if comparison == "memory":
        return {"streamed": training(root, stream=True), "in memory": training(root, stream=False)}
    if comparison == "packed":
        for name, raw in (("jpeg", False), ("raw", True)):
            zoo.pack(str(root), root.parent / name, size=side, raw=raw)
        packs = {f"pack, {name}": by_zoo("packed", root.parent / name, side, ()) for name in ("jpeg", "raw")}
        return {**packs, "files": by_zoo("folder", root, side, ())}
    rivals = {
        "dataloader": ("torchvision", by_torchvision),
        "timm": ("timm", by_timm),
        "hf": ("datasets", by_hugging_face),
        "ultralytics": ("ultralytics", by_ultralytics),
    }
    name, feed = rivals[comparison]
    return {"zoo": by_zoo("folder", root, side), f"{name} {version(name)}": feed(root, side)}


def main() -> None:
    """Measure and print the medians and their ratios."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("comparison", choices=["dataloader", "timm", "hf", "ultralytics", "packed", "memory"])
    parser.add_argument("--images", type=int, help="Default: 1000; 320 where they are trained on.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--side", type=int, help="Default: 224; 128 for packs.")
    given = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()  # as a run does; of the others, too, whose workers come from this process
    side = given.side or (128 if given.comparison == "packed" else 224)
    images = given.images or (320 if given.comparison == "memory" else 1000)
    print(f"torch {torch.__version__}, zoo {zoo.__version__}, {os.cpu_count()} CPUs; {images} images, {side} pixels")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "photographs"
        photographs(root, images, (375, 500))
        epochs = compared(given.comparison, root, side)
        rates: dict[str, list[tuple[float, float]]] = {name: [] for name in epochs}
        for number in range(given.rounds + 1):
            for name, epoch in epochs.items():
                found = epoch(number)
                if number:  # the first one starts processes and fills the system's cache
                    rates[name].append(found)
    for what, unit in enumerate(("a second", "a second of the processors")):
        report({name: [pair[what] for pair in found] for name, found in rates.items()}, unit)


def report(rates: dict[str, list[float]], unit: str) -> None:
    """Print the medians and what they are to the last one's."""
    for name, found in rates.items():
        print(f"{name}: {statistics.median(found):,.0f} images {unit} ({min(found):,.0f} to {max(found):,.0f})")
    *others, last = rates
    for name in others:
        pairs = [one / other for one, other in zip(rates[name], rates[last], strict=True)]
        print(f"{name} to {last}: {statistics.median(pairs):.2f} ({min(pairs):.2f} to {max(pairs):.2f})")


if __name__ == "__main__":
    main()
