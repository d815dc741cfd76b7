"""Measure what models do in a second on two CPU cores, for the catalogue: under five minutes on a quiet machine.

    python tests/benchmarks/speeds.py             all of the list below
    python tests/benchmarks/speeds.py 'cnn/*'     those that match; the others keep what was measured

Each model has random weights, images of its default size, fp32 and a batch of 64, or 16 from 100 pixels on. Training is
forward, cross-entropy, backward and a step of SGD; prediction is forward in evaluation mode. The number is the median
of single batches over some seconds, after two that are not counted. It is written with the hardware to `speeds.csv`
beside the plugin's facts.
"""

from __future__ import annotations

import argparse
import csv
import fnmatch
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

import zoo
from zoo.registry import registry
from zoo.registry.catalogue import SPEEDS, SpeedFacts, facts_of

PLUGINS = Path(__file__).parents[2] / "plugins"
MODELS = (
    "cnn/cnn",
    "cnn/cnn_batchnorm",
    "cnn/cnn_dropout",
    "cnn/lenet5",
    "cnn/pytorch_mnist",
    "cnn/resnet9",
    "mlp/linear",
    "mlp/mlp",
    "timm/convnext_atto",
    "timm/efficientnet_b0",
    "timm/mobilenetv3_small_100",
    "timm/resnet18",
    "timm/resnet50",
    "timm/vit_tiny_patch16_224",
    "torchvision/efficientnet_b0",
    "torchvision/mobilenet_v3_small",
    "torchvision/resnet18",
    "torchvision/squeezenet1_1",
)
CORES, SECONDS, FEWEST = 2, 5.0, 3


def measured(name: str, hardware: str) -> SpeedFacts:
    """Measure one model."""
    facts = facts_of(registry().find("models", name))
    assert facts is not None, f"{name} has no facts: run tests/benchmarks/facts.py"
    channels, height, width = facts.input_size
    classes = 10 if channels == 1 else 1000
    model = zoo.create("models", name, num_classes=classes, in_channels=channels, image_size=(height, width))
    batch = 64 if height < 100 else 16
    inputs, labels = torch.randn(batch, *facts.input_size), torch.randint(classes, (batch,))
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)

    def train() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()

    training = batch / median_seconds(train)
    model.eval()
    with torch.inference_mode():
        prediction = batch / median_seconds(lambda: model(inputs))
    return SpeedFacts(round(training, 1), round(prediction, 1), hardware)


def median_seconds(work: Callable[[], object]) -> float:
    """Return the median of calls over some seconds, three at least."""
    for _ in range(2):
        work()
    seconds: list[float] = []
    while len(seconds) < FEWEST or sum(seconds) < SECONDS:
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def processor() -> str:
    """Return what the processor calls itself."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def write(found: dict[str, SpeedFacts]) -> None:
    """Write a file for each plugin, which keeps what it held of models that were not measured now."""
    for plugin in sorted({name.partition("/")[0] for name in found}):
        path = PLUGINS / f"zoo_{plugin}" / SPEEDS
        rows = {row["model"]: row for row in csv.DictReader(path.read_text().splitlines())} if path.exists() else {}
        for name, speed in found.items():
            owner, _, model = name.partition("/")
            if owner == plugin:
                rows[model] = {"model": model, **vars(speed)}
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["model", "training", "prediction", "hardware"], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows[name] for name in sorted(rows))


def main() -> None:
    """Measure the models that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pattern", nargs="?", default="*", help="of full names, as a shell's")
    chosen = fnmatch.filter(MODELS, parser.parse_args().pattern)
    torch.set_num_threads(CORES)
    hardware = f"{processor()}, {CORES} of {os.cpu_count()} cores, torch {torch.__version__.partition('+')[0]}"
    found = {}
    for name in chosen:
        found[name] = measured(name, hardware)
        print(f"{name}: {found[name].training:,.0f} trained, {found[name].prediction:,.0f} predicted", flush=True)
    write(found)


if __name__ == "__main__":
    main()
