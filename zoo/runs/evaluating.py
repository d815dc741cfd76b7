"""`zoo.evaluate`: measure a checkpoint again, with the very numbers that the run logged."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Any

from zoo.data.identity import Identification
from zoo.errors import UsageError
from zoo.runs.components import find_components
from zoo.runs.datasets import load_dataset, split_dataset
from zoo.runs.images import changed_images
from zoo.runs.loading import LoadedRun, load_run
from zoo.runs.task import build_criterion, evaluation_batches
from zoo.training.arithmetic import own_arithmetic
from zoo.training.evaluation import evaluate as measure

SPLITS = ("train", "validation", "test")


def evaluate(run: str | Path | Any, *, split: str = "test", checkpoint: str = "best") -> dict[str, Any]:
    """Measure a run's checkpoint on a split, with the recorded batch size, precision and threads.

    Args:
        run: The run's directory, or what `zoo.train` returned.
        split: ``"test"``, ``"validation"`` or ``"train"``, as the run used them.
        checkpoint: ``"best"`` or ``"last"``.

    Returns:
        ``accuracy``, ``balanced_accuracy`` (the mean of the classes' own) and ``top5_accuracy`` in [0, 1], the latter
        None with five classes or fewer, ``loss``, ``samples``, and what was measured: ``run``, ``model``, ``data``,
        ``split``, ``checkpoint``, ``epoch`` and ``step``.

    Raises:
        UsageError: If there is no such run, split or checkpoint.
        DamagedError: If the checkpoint or the data is damaged.
        PluginError: If a plugin that is needed is broken.
    """
    if split not in SPLITS:
        raise UsageError(f"there is no split {split!r}; choose from {', '.join(SPLITS)}")
    with own_arithmetic():
        return _measured(run, split, checkpoint)


def _measured(run: str | Path | Any, split: str, checkpoint: str) -> dict[str, Any]:
    loaded = load_run(getattr(run, "directory", run), checkpoint)
    components = find_components(loaded.config, only=("data", "criterion"))
    dataset, images = load_dataset(components["data"], loaded.machine.device, loaded.config.train.split_by)
    _refuse_other_images(loaded, images, split)
    chosen = getattr(split_dataset(dataset, loaded.config), split)
    if chosen is None:
        raise UsageError(f"{loaded.directory} held out no validation images; use --split test")
    criterion, denominator = build_criterion(components["criterion"], loaded.machine.device)
    batches = evaluation_batches(chosen, loaded.config.train, loaded.network)
    metrics = measure(loaded.network.forward, batches, criterion, denominator)
    return {
        "run": str(loaded.directory),
        "model": loaded.config.model.name,
        "data": loaded.config.data.name,
        "split": split,
        "checkpoint": checkpoint,
        "epoch": loaded.results[-1].epoch if loaded.results else 0,
        "step": loaded.checkpoint.step,
        **dataclasses.asdict(metrics),
    }


def _refuse_other_images(loaded: LoadedRun, images: Identification, split: str) -> None:
    """Measure on the images that the run had, or not at all; of a split that is not measured the others do not matter.

    Raises:
        UsageError: If they are others.
    """
    splits = ("test",) if split == "test" else ("train",)
    notice = logging.getLogger("zoo").warning
    changed = changed_images(loaded.directory, loaded.images, images, notice, splits)
    if changed:
        raise UsageError(
            f"the dataset {loaded.config.data.name} is not what {loaded.directory} was trained on: {'; '.join(changed)}"
        )
