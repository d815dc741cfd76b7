"""What is to be told of a run, gathered from its files as plain data: report.json, from which the page is drawn."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.config import SEVERAL, SINGLE, Config, TrainSettings
from zoo.errors import DamagedError
from zoo.records.directory import METRICS, RunDirectory
from zoo.records.disk import read_bytes
from zoo.records.history import status_of
from zoo.reports.details import (
    classes_by_recall,
    confused_pairs,
    duplicates_of,
    heat_of,
    matrix_of,
    metrics_without_classes,
    mistakes_of,
    suspicions_of,
)
from zoo.reports.evaluations import OWN, Evaluation, evaluation_names, read_document, read_evaluation
from zoo.reports.metrics import Reliability, fitted_temperature, outcomes_of, reliability
from zoo.reports.statistics import wilson

SCHEMA = 1
_MAX_METRICS = 2**26  # bytes of metrics.csv
_CHOSEN = ("device", "precision", "threads", "memory_format", "dropout_masks", "split_by")
_ENVIRONMENT = ("zoo", "python", "torch", "torchvision", "timm", "device", "threads", "cpu_capability", "processor")


@dataclass(frozen=True)
class Story:
    """What is told of a run.

    Attributes:
        document: What report.json holds.
        pixels: The images of its mistakes, in their order, uint8 (M, C, H, W).
        heat: What in each spoke for the class that it was called, uint8 (M, H, W); none where nobody asked.
    """

    document: dict[str, Any]
    pixels: Sequence[NDArray[np.uint8]]
    heat: Sequence[NDArray[np.uint8]] = ()


def story_of(run: str | Path) -> Story:
    """Gather what is to be told of a run, whether it is finished or still going on.

    Raises:
        UsageError: If there is no such run.
        DamagedError: If a file of it is damaged.
    """
    directory = RunDirectory.open(run)
    summary, epochs = directory.read_summary(), read_epochs(directory.path)
    config, names = directory.read_config(), evaluation_names(directory.path)
    test, validation = (read_evaluation(directory.path, name) if name in names else None for name in OWN)
    shown = test or validation
    mistakes, pixels = mistakes_of(shown)
    document = {
        "schema": SCHEMA,
        "name": directory.path.resolve().name,
        "status": status_of(directory, summary),
        "model": config.model.name,
        "data": config.data.name,
        "headline": _headline(summary, test, validation),
        "summary": summary,
        "epochs": epochs,
        "warnings": [
            *_warnings(directory, summary, names, shown),
            *duplicates_of(directory.path),
            *suspicions_of(test, validation),
        ],
        "details_of": shown.name if shown else None,
        "metrics": metrics_without_classes(shown),
        "classes": classes_by_recall(shown),
        "confused": confused_pairs(shown),
        "matrix": matrix_of(shown),
        "mistakes": mistakes,
        "explained": shown.document.get("explained") if shown else None,
        "calibration": _calibration(test, validation),
        "other_evaluations": [_other(directory.path, name) for name in names if name not in OWN],
        "parts": _parts(config),
        "settings": _settings(config),
        "environment": _environment(directory, config),
    }
    return Story(document, pixels, heat_of(shown))


def read_epochs(run: Path) -> list[dict[str, float | None]]:
    """Return the rows of a run's metrics.csv; none where it wrote nothing yet.

    Raises:
        DamagedError: If the file is damaged.
    """
    path = run / METRICS
    if not path.exists():
        return []
    try:
        rows = list(csv.DictReader(io.StringIO(read_bytes(path, _MAX_METRICS).decode())))
        return [{key: float(value) if value else None for key, value in row.items()} for row in rows]
    except (ValueError, TypeError) as error:
        raise DamagedError(f"{path} is damaged: {error}") from error


def _headline(
    summary: Mapping[str, Any], test: Evaluation | None, validation: Evaluation | None
) -> dict[str, Any] | None:
    """Return the number that is shown large: of the test images where there is one, else of the validation images."""
    for split, key, kept in (("test", "test_accuracy", test), ("validation", "val_accuracy", validation)):
        accuracy, samples = summary.get(key), summary.get(split)
        if isinstance(accuracy, float) and isinstance(samples, int) and samples:
            right = round(accuracy * samples)
        elif kept is not None:
            right, samples = int(kept.outcomes.right.sum()), len(kept.outcomes)
        else:
            continue
        interval = wilson(right, samples)
        return {
            "split": split,
            "accuracy": right / samples,
            "interval": [interval.low, interval.high],
            "samples": samples,
        }
    return None


def _warnings(
    directory: RunDirectory, summary: Mapping[str, Any], names: Sequence[str], shown: Evaluation | None
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if shown is None and summary.get("status") == "finished":
        text = "This run keeps no evaluation, so there are no classes, mistakes or calibration to show."
        found.append({"kind": "no evaluation", "text": f"{text} 'zoo evaluate' makes it."})
    for name in names if shown else ():
        document = read_document(directory.path, name)
        empty = [row["class"] for row in document["metrics"]["classes"] if not row["images"]]
        if name in OWN and empty:
            counted = f"{len(empty)} of {len(document['classes'])} classes have"
            text = f"{counted} no {document['split']} images: {_some(empty)}."
            found.append({"kind": "empty classes", "text": text, "classes": empty})
        if name in OWN and (changed := _is_of_another(directory, document)):
            found.append({"kind": "other checkpoint", "text": changed})
    return found


def _is_of_another(directory: RunDirectory, document: Mapping[str, Any]) -> str | None:
    try:
        digest = directory.checkpoints.digest_at(document["step"])
    except DamagedError:
        return None  # a run may be shown without its checkpoints
    if digest == document["checkpoint_digest"]:
        return None
    return (
        f"The {document['split']} evaluation is of another checkpoint than the run now has; 'zoo evaluate' renews it."
    )


def _calibration(test: Evaluation | None, validation: Evaluation | None) -> dict[str, Any] | None:
    """Return the reliability of the test's confidence, before and after a temperature that validation alone chose."""
    judged = test or validation
    if judged is None:
        return None
    found: dict[str, Any] = {"judged_on": judged.document["split"], "temperature": None, "after": None}
    found["before"] = _bins(reliability(judged.outcomes.confidence, judged.outcomes.right))
    found["by_chance"] = judged.document["metrics"].get("ece_by_chance")
    if test is None or validation is None or test.logits is None or validation.logits is None:
        return found
    temperature = fitted_temperature(validation.logits, validation.outcomes.labels)
    tempered = outcomes_of(
        test.logits, test.outcomes.labels, predictions=test.outcomes.predictions, temperature=temperature
    )
    return {**found, "temperature": temperature, "after": _bins(reliability(tempered.confidence, tempered.right))}


def _bins(found: Reliability) -> dict[str, Any]:
    return {
        "error": found.error,
        "counts": found.counts.tolist(),
        "confidence": found.confidence.tolist(),
        "accuracy": found.accuracy.tolist(),
    }


def _other(run: Path, name: str) -> dict[str, Any]:
    document = read_document(run, name)
    keys = ("accuracy", "accuracy_interval", "balanced_accuracy", "nll")
    return {
        "name": name,
        "data": document.get("data"),
        "tta": document.get("tta", []),
        "samples": document["samples"],
        **{key: document["metrics"].get(key) for key in keys},
    }


def _parts(config: Config) -> list[dict[str, Any]]:
    """Return the entries of a run with their options."""
    chosen = [(section, getattr(config, section)) for section in SINGLE]
    chosen += [(section, choice) for section in SEVERAL for choice in getattr(config, section)]
    return [{"part": section, "name": choice.name, "options": dict(choice.options)} for section, choice in chosen]


def _settings(config: Config) -> list[dict[str, Any]]:
    """Return the settings that differ from the defaults, but for those that were left to zoo to choose."""
    fields = [field for field in dataclasses.fields(TrainSettings) if field.name not in _CHOSEN]
    told = [(field, getattr(config.train, field.name)) for field in fields]
    found = [
        {"key": f"train.{field.name}", "value": value, "default": field.default}
        for field, value in told
        if value not in (field.default, field.metadata.get("usual", field.default))
    ]
    if config.limit is not None:
        found.append({"key": "data.limit", "value": config.limit, "default": None})
    return found


def _environment(directory: RunDirectory, config: Config) -> dict[str, Any]:
    found = directory.read_environment()
    told = {key: found[key] for key in (*_ENVIRONMENT, "platform", "git_commit") if found.get(key) is not None}
    settings = {key: getattr(config.train, key) for key in _CHOSEN if key not in told}
    return {**told, **{key: value for key, value in settings.items() if value is not None}}


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
