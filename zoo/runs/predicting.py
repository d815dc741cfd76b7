"""`zoo.predict`: what a run's model says of image files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from zoo.errors import UsageError
from zoo.files.images import read_image
from zoo.reports.calibration import read_temperature
from zoo.runs.loading import load_run
from zoo.training.arithmetic import own_arithmetic
from zoo.training.evaluation import evaluating

_BATCH = 64


@dataclass(frozen=True)
class Prediction:
    """What a model says of one image.

    Attributes:
        image: The file.
        labels: The likeliest classes, the likeliest first.
        probabilities: The softmax of their logits, by the run's temperature if it has one, each in [0, 1].
    """

    image: str
    labels: tuple[str, ...]
    probabilities: tuple[float, ...]


def predict(
    run: str | Path | Any, images: Iterable[str | Path], *, top_k: int = 1, checkpoint: str = "best"
) -> list[Prediction]:
    """Classify image files with a run's model.

    Each image is made grey or coloured and resized as the run's dataset stores its images. Where `zoo.calibrate` found
    a temperature for the checkpoint, the probabilities are tempered by it.

    Args:
        run: The run's directory, or what `zoo.train` returned.
        images: Files that Pillow reads, of any size.
        top_k: How many classes to tell of, from 1 to K.
        checkpoint: ``"best"`` or ``"last"``.

    Returns:
        One prediction an image, in order.

    Raises:
        UsageError: If there is no such run or file, or *top_k* is out of range.
        DamagedError: If a file is no image, or damaged.
    """
    if isinstance(images, str | Path):
        raise UsageError(f"images must be a list of files, such as [{str(images)!r}]")
    if not isinstance(top_k, int) or isinstance(top_k, bool):
        raise UsageError(f"top_k must be a whole number, not {top_k!r}")
    with own_arithmetic():
        return _predicted(run, [str(image) for image in images], top_k, checkpoint)


def _predicted(run: str | Path | Any, paths: Sequence[str], top_k: int, checkpoint: str) -> list[Prediction]:
    loaded = load_run(getattr(run, "directory", run), checkpoint)
    facts, network = loaded.images, loaded.network
    if not 1 <= top_k <= facts.num_classes:
        raise UsageError(f"top_k must be from 1 to {facts.num_classes}, the number of classes, not {top_k}")
    temperature = read_temperature(loaded.directory.path, loaded.checkpoint.manifest.digest)
    predictions = []
    with evaluating(network.model):
        for start in range(0, len(paths), _BATCH):
            chunk = paths[start : start + _BATCH]
            pixels = [read_image(path, channels=facts.in_channels, size=facts.image_size) for path in chunk]
            logits = network.forward(network.prepare(torch.stack(pixels)))
            if temperature is not None:
                logits = logits.float() / temperature
            probabilities, classes = logits.softmax(dim=1).topk(top_k, dim=1)
            for path, likely, index in zip(chunk, probabilities.tolist(), classes.tolist(), strict=True):
                labels = tuple(facts.classes[k] for k in index)
                predictions.append(Prediction(path, labels, tuple(likely)))
    return predictions
