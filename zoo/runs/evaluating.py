"""`zoo.evaluate`: measure a checkpoint again, with the very numbers that the run logged."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.config import Config
from zoo.data import Dataset, Split, moved, sized
from zoo.data.identity import Identification
from zoo.errors import UsageError, ZooError
from zoo.records.directory import EVALUATIONS, RunDirectory
from zoo.records.lock import RunLock
from zoo.registry.entry import in_one_line
from zoo.reports.evaluations import evaluation_name, keep_evaluation
from zoo.runs.committee import is_put_together
from zoo.runs.components import find_components
from zoo.runs.datasets import load_dataset, split_dataset
from zoo.runs.evaluations import Measured, about_evaluation, document
from zoo.runs.moved import load_again, relocated
from zoo.runs.other_data import ALL, OWN, OtherData, matched, name_of, other_config
from zoo.runs.sources import UNRECORDED, Trained, load_trained
from zoo.runs.task import build_criterion, evaluation_batches
from zoo.runs.views import viewed
from zoo.training.arithmetic import own_arithmetic
from zoo.training.evaluation import evaluate as measure
from zoo.training.predictions import LIMIT, PredictionRecord


def evaluate(
    run: str | Path | Any,
    *,
    split: str | None = None,
    checkpoint: str = "best",
    data: str | None = None,
    options: Mapping[str, Any] | None = None,
    name: str | None = None,
    tta: str | Sequence[str] = (),
) -> dict[str, Any]:
    """Measure a trained model on a split, with the recorded batch size, precision and threads.

    What it said of each image is kept in the run's folder ``evaluations``, where the run can be written to.

    Args:
        run: What `zoo.load` takes: a run, a checkpoint, a published folder or its ``model.safetensors``, a name.
        split: ``"test"``, ``"validation"`` or ``"train"``, as the run used them; of other data ``"all"``, ``"train"``
            or ``"test"``. By default the test images, or all of the other data.
        checkpoint: Of a run, ``"best"`` or ``"last"``.
        data: Another registered dataset to measure on; its classes are matched with the model's by name.
        options: The other data's by key, such as ``{"data.root": "new"}``; without other data that alone, where the
            run's own images have moved.
        name: What the evaluation of other data is kept under; by default the dataset's name and its root's.
        tta: Test-time augmentation: augmentations over whose views of each image the probabilities are averaged, such
            as ``["flip"]``; the evaluation is kept under a name of its own.

    Returns:
        ``accuracy`` and ``top5_accuracy`` in [0, 1], the latter None with five classes or fewer, ``loss``,
        ``samples``, what was measured: ``run``, ``model``, ``data``, ``split``, ``checkpoint``, ``epoch``,
        ``step`` and ``tta``, and every other metric: ``balanced_accuracy``, ``macro_f1``, ``nll``, ``brier``, ``ece``,
        and ``classes``, a dictionary each. ``kept`` is the file, or None. With other data, ``unknown_classes``,
        ``left_out``, how many images those have, and ``missing_classes``.

    Raises:
        UsageError: If there is no such run, split, checkpoint, dataset or augmentation, or one that has no views.
        DamagedError: If the checkpoint or the data is damaged.
        PluginError: If a plugin that is needed is broken.
    """
    other = data is not None
    if name is not None and not other:
        raise UsageError("--name is for an evaluation of other data; give --data NAME, too")
    splits = (ALL, "train", "test") if other else OWN
    split = split or (ALL if other else "test")
    if split not in splits:
        raise UsageError(f"there is no split {split!r}; choose from {', '.join(splits)}")
    with own_arithmetic():
        loaded = viewed(load_trained(run, checkpoint), tta)
        if not other and loaded.config.data.name == UNRECORDED:
            raise UsageError(
                f"nobody tells what {loaded.where} were trained on; --data NAME measures them on a dataset"
            )
        if other:
            return _on_other_data(loaded, split, checkpoint, other_config(loaded.config, data, options or {}), name)
        return on_own_data(loaded, split, checkpoint, options=options)


def on_own_data(
    loaded: Trained,
    split: str,
    checkpoint: str,
    limit: int | None = LIMIT,
    options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Measure a run on a split of its own data, keep that, and return what `evaluate` does.

    Args:
        loaded: The run.
        split: ``"train"``, ``"validation"`` or ``"test"``.
        checkpoint: Which one was loaded.
        limit: Bytes of logits that are kept at most; None for all.
        options: ``{"data.root": DIR}`` where the data have moved.

    Raises:
        UsageError: If the data are not what the run was trained on, or there is no such split.
    """
    loaded = loaded.as_validated() if split == "validation" else loaded
    return on_own_split(loaded, own_split(loaded, split, options), split, checkpoint, limit)


def on_own_split(
    loaded: Trained, chosen: Split, split: str, checkpoint: str, limit: int | None = LIMIT
) -> dict[str, Any]:
    """Measure a run on the *chosen* images, those of a *split*, likewise; for validation with the validated weights."""
    return _kept(loaded, loaded.config, measured(loaded, chosen, limit), (split, split, checkpoint), {})


def own_split(loaded: Trained, split: str, options: Mapping[str, Any] | None = None) -> Split:
    """Return a split of a run's own data, in the size in which the run had its images.

    Args:
        loaded: The run.
        split: ``"train"``, ``"validation"`` or ``"test"``.
        options: ``{"data.root": DIR}`` where the data have moved.

    Raises:
        UsageError: If the data are not what the run was trained on, or there is no such split.
    """
    chosen: Split | None = getattr(split_dataset(own_data(loaded, options, split), loaded.config), split)
    if chosen is None and is_put_together(loaded.config, loaded.step):
        raise UsageError(
            f"the members of {loaded.where} held out no validation images that none of them has learnt; "
            "use --split test"
        )
    if chosen is None:
        raise UsageError(f"{loaded.where} held out no validation images; use --split test")
    return chosen


def own_data(loaded: Trained, options: Mapping[str, Any] | None = None, split: str | None = None) -> Dataset:
    """Return a run's own data, in the size in which the run had its images.

    Args:
        loaded: The run.
        options: ``{"data.root": DIR}`` where the data have moved.
        split: The one that matters; None for all.

    Raises:
        UsageError: If the data are not what the run was trained on.
    """
    component = find_components(relocated(loaded.config, options), only=("data",))["data"]
    dataset, images = load_again(component, loaded.config.train.split_by)
    _refuse_other_images(loaded, images, split)
    return _as_trained(loaded, dataset)


def _on_other_data(loaded: Trained, which: str, checkpoint: str, config: Config, name: str | None) -> dict[str, Any]:
    chosen = name_of(config.data, name)
    components = find_components(config, only=("data",))
    dataset, _ = load_dataset(components["data"], config.train.split_by)
    found = matched(_as_trained(loaded, dataset), loaded.images, which, chosen)
    resolved = dataclasses.replace(config, data=components.resolved(config).data)
    return _kept(loaded, resolved, measured(loaded, found.split), (chosen, which, checkpoint), _told(found, resolved))


def _as_trained(loaded: Trained, dataset: Dataset) -> Dataset:
    """Return images in the size that a run had them; encoded ones stay so, as only what is evaluated is read."""
    size, how = loaded.images.image_size, loaded.network.prepare.decoding_filter
    return moved(sized(dataset, size, how, loaded.images.fit), loaded.machine.device)


def _told(found: OtherData, config: Config) -> dict[str, Any]:
    return {
        "data_options": dict(config.data.options),
        "unknown_classes": list(found.unknown),
        "left_out": found.split.left_out,
        "missing_classes": list(found.missing),
    }


def measured(loaded: Trained, split: Split, limit: int | None = LIMIT) -> Measured:
    """Return what a run's model says of the images of *split*; of all logits *limit* bytes at most, None for all."""
    criterion, denominator = build_criterion(
        find_components(loaded.config, only=("criterion",))["criterion"], loaded.machine.device
    )
    batches = evaluation_batches(split, loaded.config.train, loaded.network)
    record = PredictionRecord(len(split), loaded.images.num_classes, limit)
    metrics = measure(loaded.network.forward, batches, criterion, denominator, record)
    return Measured(split, metrics.loss, record.taken())


def _kept(
    loaded: Trained, config: Config, measured: Measured, named: tuple[str, str, str], more: Mapping[str, Any]
) -> dict[str, Any]:
    """Keep an evaluation where that is possible, and return what is told of it."""
    name, split, checkpoint = named
    how_far = loaded.epoch, loaded.step, loaded.digest
    about = about_evaluation(config, loaded.network, split, checkpoint, *how_far)
    found, tensors = document(measured, loaded.images, {**about, **more})
    file = evaluation_name(name, loaded.network.tta, checkpoint)
    return {
        "run": loaded.where,
        **about,
        "samples": found["samples"],
        **found["metrics"],
        "loss": measured.loss,
        **more,
        "images": found["images"],
        "kept": _keep(loaded.keeper, file, found, tensors),
    }


def _keep(directory: RunDirectory | None, name: str, found: Mapping[str, Any], tensors: bytes) -> str | None:
    """Keep an evaluation beside its run, and return where; None where there is no run, or it cannot be written to."""
    if directory is None:
        return None
    try:
        with RunLock(directory.path):
            keep_evaluation(directory.path, name, found, tensors)
    except (OSError, ZooError) as error:
        why = in_one_line(error) if isinstance(error, OSError) else str(error)
        logging.getLogger("zoo").warning("the predictions are not kept: %s", why)
        return None
    return str(directory.path / EVALUATIONS / f"{name}.json")


def _refuse_other_images(loaded: Trained, images: Identification, split: str | None) -> None:
    """Measure on the images that the run had, or not at all; of a split that is not measured the others do not matter.

    Raises:
        UsageError: If they are others.
    """
    splits = {"test": ("test",), None: ()}.get(split, ("train", "validation"))
    notice = logging.getLogger("zoo").warning
    if changed := loaded.changed(images, notice, splits):
        raise UsageError(
            f"the dataset {loaded.config.data.name} is not what {loaded.where} was trained on: {'; '.join(changed)}"
        )
