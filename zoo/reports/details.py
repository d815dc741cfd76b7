"""What one evaluation has to tell in detail: confused pairs, the matrix, mistakes, suspected labels."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.records.images import read_data
from zoo.reports.evaluations import Evaluation
from zoo.reports.metrics import confusion
from zoo.reports.suspicions import suspected_labels

MATRIX_CLASSES = 20
"""Classes up to which the whole confusion matrix is shown; above them the pairs are."""

PAIRS = 12
MISTAKES = 24


def metrics_without_classes(kept: Evaluation | None) -> dict[str, Any]:
    """Return the metrics of an evaluation but for those of each class; none where there is no evaluation."""
    found: Mapping[str, Any] = kept.document["metrics"] if kept else {}
    return {key: value for key, value in found.items() if key != "classes"}


def classes_by_recall(kept: Evaluation | None) -> list[dict[str, Any]]:
    """Return what is told of each class, the weakest first."""
    return sorted(kept.document["metrics"]["classes"], key=_by_recall) if kept else []


def confused_pairs(kept: Evaluation | None) -> list[dict[str, Any]]:
    """Return the pairs of classes that are confused most, the most first."""
    if kept is None:
        return []
    outcomes, count = kept.outcomes, len(kept.classes)
    wrong = ~outcomes.right
    codes, counts = np.unique(outcomes.labels[wrong] * count + outcomes.predictions[wrong], return_counts=True)
    actual = np.bincount(outcomes.labels, minlength=count)
    order = np.argsort(-counts, kind="stable")[:PAIRS]
    pairs = [
        (*divmod(code, count), images)
        for code, images in zip(codes[order].tolist(), counts[order].tolist(), strict=True)
    ]
    return [
        {
            "actual": kept.classes[label],
            "predicted": kept.classes[prediction],
            "images": images,
            "share": images / int(actual[label]),
        }
        for label, prediction, images in pairs
    ]


def matrix_of(kept: Evaluation | None) -> dict[str, Any] | None:
    """Return the confusion matrix, the actual class in rows; None where there are too many classes to look at."""
    if kept is None or len(kept.classes) > MATRIX_CLASSES:
        return None
    counts = confusion(kept.outcomes.labels, kept.outcomes.predictions, len(kept.classes))
    return {"classes": list(kept.classes), "counts": counts.tolist()}


def mistakes_of(kept: Evaluation | None) -> tuple[list[dict[str, Any]], list[NDArray[np.uint8]]]:
    """Return what is told of the worst mistakes, and their pixels, uint8 (C, H, W) each."""
    if kept is None or "worst" not in kept.arrays:
        return [], []
    outcomes, names = kept.outcomes, kept.document.get("worst_names")
    suspected = {each.row for each in suspected_labels(kept)}
    rows = kept.arrays["worst"][:MISTAKES].tolist()
    told = [
        {
            "place": int(kept.arrays["places"][row]),
            "name": names[number] if names else None,
            "label": kept.classes[outcomes.labels[row]],
            "prediction": kept.classes[outcomes.predictions[row]],
            "confidence": float(outcomes.confidence[row]),
            "suspected": row in suspected,
        }
        for number, row in enumerate(rows)
    ]
    return told, list(kept.arrays["worst_pixels"][: len(rows)])


def heat_of(kept: Evaluation | None) -> list[NDArray[np.uint8]]:
    """Return what in each of the worst mistakes spoke for the class that it was called, uint8 (H, W) each."""
    return [] if kept is None else list(kept.arrays.get("worst_heat", ())[:MISTAKES])


def duplicates_of(run: Path) -> list[dict[str, Any]]:
    """Return a warning for each split with images that the run has also learnt.

    Raises:
        DamagedError: If the record of its images is damaged.
    """
    found = []
    for split, known in (read_data(run).get("duplicates") or {}).items():
        if known and known["count"]:
            some = ", ".join(f"{place} (training image {like})" for place, like in known["pairs"][:4])
            text = f"{known['count']:,} {split} images are also training images, equal in every pixel: {some}"
            text += " and so on." if known["count"] > 4 else "."
            found.append({"kind": "duplicates", "text": text, "split": split, **known})
    return found


def suspicions_of(*evaluations: Evaluation | None) -> list[dict[str, Any]]:
    """Return a warning of the labels that may be mistaken, or none."""
    suspected = [each for kept in evaluations if kept is not None for each in suspected_labels(kept)]
    if not suspected:
        return []
    counts = Counter(each.split for each in suspected)
    told = " and ".join(f"{count:,} {split}" for split, count in counts.items())
    text = f"{told} labels may be mistaken: the model is as sure of another class as it is of images that have it."
    labels = [{k: v for k, v in dataclasses.asdict(each).items() if k != "row"} for each in suspected]
    return [{"kind": "suspected labels", "text": text, "labels": labels}]


def _by_recall(row: Mapping[str, Any]) -> tuple[bool, float, str]:
    return row["recall"] is None, row["recall"] or 0.0, row["class"]
