"""What is told of a run: its description as it begins, and its summary as it ends."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from zoo.config import SINGLE, Config, flattened
from zoo.data import Expects, ImageFacts, Reader, Split, reader_count
from zoo.records.directory import RunDirectory
from zoo.runs.components import Components
from zoo.runs.datasets import Splits
from zoo.runs.network import Network, parameter_count
from zoo.training.evaluation import Metrics
from zoo.training.fit import Progress, Task

SCHEMA = 1


def description(
    directory: RunDirectory,
    config: Config,
    components: Components,
    images: ImageFacts,
    splits: Splits,
    network: Network,
    task: Task,
) -> dict[str, Any]:
    """Return what observers and the transcript are told of a run as it begins."""
    return {
        "directory": str(directory),
        "config": config.to_dict(),
        "settings": {key: value for key, value in flattened(config.to_dict()).items() if key != "schema"},
        "entries": components.providers,
        **{section: getattr(config, section).name for section in SINGLE},
        "parameters": parameter_count(network.model),
        "device": network.device.type,
        "precision": network.precision,
        "threads": config.train.threads,
        "processes": task.world.size,
        "slices": config.train.slices or 1,
        "memory_format": config.train.memory_format,
        "dropout_masks": config.train.dropout_masks if _drops(network.model) else None,
        "train": len(splits.train),
        "validation": len(splits.validation) if splits.validation is not None else 0,
        "test": len(splits.test),
        "classes": class_counts(splits.train, images),
        "epochs": task.epochs,
        "steps_per_epoch": task.training.steps,
        "steps": task.steps,
        "select": task.select,
        "lr": task.updates.optimizer.defaults.get("lr"),
        "fused": bool(task.updates.optimizer.defaults.get("fused")),
        "storage": storage_of(splits.train),
        "readers": reader_count(config.train.readers),
        "image_size": images.image_size,
        "input_size": network.prepare.size,
        "weights": weights_of(network.expects),
    }


def weights_of(expects: Expects | None) -> dict[str, Any] | None:
    """Return what is told of pretrained weights; None where there are none. Of the classes only their number."""
    return None if expects is None else {**dataclasses.asdict(expects), "classes": len(expects.classes)}


def class_counts(split: Split, images: ImageFacts) -> dict[str, int]:
    """Return how many images of *split* each class has, by its name, in the order of the logits."""
    counts = torch.bincount(split.labels, minlength=images.num_classes).tolist()
    return dict(zip(images.classes, counts, strict=True))


def storage_of(split: Split) -> str:
    """Return where training images are: ``"memory"``, ``"decoded"`` into it from files, or ``"streamed"``."""
    if Reader(split).streams:
        return "streamed"
    return "decoded" if getattr(split, "partners", "any") == "near" else "memory"


def _drops(model: nn.Module) -> bool:
    return any(isinstance(module, nn.Dropout) and module.p > 0 for module in model.modules())


def summary_of(
    run: Mapping[str, Any], progress: Progress, status: str, test: Metrics | None = None, refitted: int | None = None
) -> dict[str, Any]:
    """Return what summary.json holds.

    Args:
        run: The run's `description`.
        progress: How far it came.
        status: ``"running"``, ``"finished"``, ``"interrupted"``, ``"pruned"`` or ``"failed"``.
        test: What the best epoch's weights did on the test set; None where that was not measured.
        refitted: How many images the probe's head was fitted to in the end, those for validation among them; or None.
    """
    results = progress.results
    best = progress.best
    return {
        "schema": SCHEMA,
        "status": status,
        **{key: run[key] for key in (*SINGLE, "parameters", "train", "validation", "test", "storage")},
        "epochs": progress.epoch,
        "steps": progress.step,
        "select": run["select"],
        "best_epoch": best.epoch if best else None,
        "refitted": refitted,
        "val_loss": _finite(best.val_loss) if best and best.val_loss is not None else None,
        "val_accuracy": best.val_accuracy if best else None,
        "val_balanced_accuracy": best.val_balanced_accuracy if best else None,
        "test_accuracy": test.accuracy if test else None,
        "test_balanced_accuracy": test.balanced_accuracy if test else None,
        "test_loss": _finite(test.loss) if test else None,
        "samples_per_second": statistics.median(r.samples_per_second for r in results) if results else None,
        "seconds": progress.seconds,
    }


def _finite(value: float) -> float | None:
    """JSON has no infinity and no nan."""
    return value if math.isfinite(value) else None
