"""Measuring an exported file on the images that its run was tested on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zoo.config import Config, Layer
from zoo.data import EvaluationBatches, ImageFacts, Split, reader_count, sized
from zoo.errors import UsageError
from zoo.runs.components import find_components
from zoo.runs.datasets import split_dataset
from zoo.runs.evaluations import Measured, digest_of, document
from zoo.runs.moved import load_again, relocated
from zoo.runs.task import build_criterion
from zoo.sharing.export_reading import ExportedFile
from zoo.training.evaluation import evaluate
from zoo.training.predictions import LIMIT, PredictionRecord

_BATCH = 500


class _Exported(nn.Module):
    """Runs a file on images as they are stored."""

    def __init__(self, file: ExportedFile) -> None:
        super().__init__()
        self._file = file

    def forward(self, images: Tensor) -> Tensor:
        return torch.from_numpy(self._file(images.numpy())[0])


def evaluate_file(path: Path, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Measure an exported file on its run's test images.

    Args:
        path: An ONNX file.
        options: ``{"data.root": DIR}`` where the images are; an absolute path is not kept in the file.

    Returns:
        What `zoo.evaluate` returns, with ``file`` in place of ``run``; nothing is kept.

    Raises:
        UsageError: If the file is no export, or the images are not those that it was checked on.
        DamagedError: If the file or the data is damaged.
    """
    file = ExportedFile(path)
    told = file.facts.document
    config = relocated(Config.from_layers([Layer(str(path), told["config"])]), options)
    split = _test_split(file, config)
    criterion, denominator = build_criterion(find_components(config, only=("criterion",))["criterion"], _CPU)
    record = PredictionRecord(len(split), len(file.facts.classes), LIMIT)
    batches = EvaluationBatches(split, _BATCH, Tensor.cpu, readers=reader_count(config.train.readers))
    metrics = evaluate(_Exported(file), batches, criterion, denominator, record)
    about = {
        "model": config.model.name,
        "data": config.data.name,
        "split": "test",
        **{key: told[key] for key in ("checkpoint", "epoch", "step", "checkpoint_digest")},
        "precision": "fp32",
        "device": "cpu",
    }
    found, _ = document(Measured(split, metrics.loss, record.taken()), _image_facts(file), about)
    measured = {"samples": found["samples"], **found["metrics"], "loss": metrics.loss, "images": found["images"]}
    return {"file": str(path), **about, **measured}


_CPU = torch.device("cpu")


def _test_split(file: ExportedFile, config: Config) -> Split:
    facts = file.facts
    dataset, _ = load_again(find_components(config, only=("data",))["data"], config.train.split_by)
    split = split_dataset(sized(dataset, facts.image_size, facts.interpolation, facts.fit), config).test
    if digest_of(split) != facts.document["test"]:
        raise UsageError(f"the dataset {config.data.name} does not hold the test images of {str(file.path)!r}")
    return split


def _image_facts(file: ExportedFile) -> ImageFacts:
    facts = file.facts
    unknown = (0.0,) * facts.channels, (1.0,) * facts.channels  # the normalisation is inside the file
    return ImageFacts(facts.classes, *unknown, facts.channels, facts.image_size, facts.fit)
