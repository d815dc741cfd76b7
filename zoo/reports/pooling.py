"""Out-of-fold predictions: what was said of each image by the model of a cross-validation that had not learnt it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import UsageError
from zoo.reports.evaluations import SCHEMA, Evaluation, keep_evaluation, outcomes_from, read_evaluation
from zoo.reports.metrics import metrics_of

OUT_OF_FOLD = "validation-best"
"""The name of the pooled evaluation, as of each fold's: they are of the images that no fold's own model has learnt."""

_WORST = ("worst", "worst_pixels")


def pool(folder: Path, runs: Sequence[Path]) -> Evaluation:
    """Keep the out-of-fold predictions of a cross-validation beside its runs, and return them.

    Args:
        folder: The cross-validation's.
        runs: Its finished runs, at least one, in the order of the folds.

    Raises:
        UsageError: If a run keeps no evaluation, or they are of different classes.
        DamagedError: If an evaluation is damaged.
        OSError: If the folder cannot be written to.
    """
    from safetensors.numpy import save

    found = [read_evaluation(run, OUT_OF_FOLD) for run in runs]
    if len({tuple(each.classes) for each in found}) > 1:
        raise UsageError(f"the folds in {folder} have different classes, so their predictions are no one evaluation")
    arrays, names = _with_worst(_joined(found), found)
    outcomes = outcomes_from(arrays)
    data = save(dict(arrays))
    document = {
        **_about(found),
        "folds": [_fold(run, each) for run, each in zip(runs, found, strict=True)],
        "samples": len(outcomes),
        "worst_names": names,
        "metrics": metrics_of(outcomes, found[0].classes),
        "tensors": {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()},
    }
    keep_evaluation(folder, OUT_OF_FOLD, document, data)
    return Evaluation(OUT_OF_FOLD, document, arrays)


def _joined(found: Sequence[Evaluation]) -> dict[str, NDArray[Any]]:
    """Return the rows of all evaluations, in the order of the images in the dataset's split."""
    shared = set.intersection(*(set(each.arrays) for each in found)) - set(_WORST)
    rows = {name: np.concatenate([each.arrays[name] for each in found]) for name in sorted(shared)}
    order = np.argsort(rows["places"], kind="stable")
    return {name: values[order] for name, values in rows.items()}


def _with_worst(
    rows: Mapping[str, NDArray[Any]], found: Sequence[Evaluation]
) -> tuple[dict[str, NDArray[Any]], list[str] | None]:
    """Add the pixels of the worst mistakes, and return the names of their files, where there are such."""
    kept = dict(pair for each in found for pair in _mistakes(each))
    # Whatever is among so many of all was among as many of its own fold.
    worst = outcomes_from(rows).worst(max(len(each.arrays.get("worst", ())) for each in found))
    if not len(worst):
        return dict(rows), None
    images, names = zip(*(kept[place] for place in rows["places"][worst].tolist()), strict=True)
    return {**rows, "worst": worst, "worst_pixels": np.stack(images)}, None if None in names else list(names)


def _mistakes(found: Evaluation) -> Iterator[tuple[int, tuple[NDArray[Any], str | None]]]:
    """Yield the place of each mistake whose pixels are kept, with them and the file's name."""
    names = found.document.get("worst_names")
    for number, row in enumerate(found.arrays.get("worst", ())):
        yield int(found.arrays["places"][row]), (found.arrays["worst_pixels"][number], names[number] if names else None)


def _about(found: Sequence[Evaluation]) -> dict[str, Any]:
    first = found[0].document
    digests = [each.document["checkpoint_digest"] for each in found]
    return {
        "schema": SCHEMA,
        "split": "out-of-fold",
        **{key: first[key] for key in ("model", "data", "checkpoint", "precision", "device") if key in first},
        "epoch": max(each.document["epoch"] for each in found),
        "step": max(each.document["step"] for each in found),
        "checkpoint_digest": hashlib.sha256("\n".join(digests).encode("ascii")).hexdigest(),
        "classes": list(found[0].classes),
        "images": {
            "known_by": "folds",
            "sha256": hashlib.sha256("\n".join(each.digest for each in found).encode("ascii")).hexdigest(),
        },
    }


def _fold(run: Path, found: Evaluation) -> dict[str, Any]:
    return {
        "run": run.name,
        "epoch": found.document["epoch"],
        "samples": found.document["samples"],
        "accuracy": found.document["metrics"]["accuracy"],
    }
