"""What in the images that a run's model mistook spoke for the class that it called them: kept with what it said."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zoo.errors import UsageError
from zoo.records.directory import RunDirectory
from zoo.records.lock import RunLock
from zoo.records.sweeps import holds_sweep
from zoo.reports.details import MISTAKES
from zoo.reports.evaluations import Evaluation, keep_evaluation, main_evaluation
from zoo.reports.explanations import Explanation
from zoo.runs.evaluations import packed
from zoo.runs.explaining import explained_pixels
from zoo.runs.predicting import Predictor
from zoo.runs.sources import load_trained


def explain_mistakes(run: str | Path | Any) -> int:
    """Look what in a run's worst mistakes spoke for the class that they were called, for its page to show.

    As `zoo.explain` does: Grad-CAM where the last layers are convolutions, else occlusion. It is kept with the
    evaluation, until that is made anew.

    Args:
        run: Its directory, or what `zoo.train` returned.

    Returns:
        How many mistakes were looked at.

    Raises:
        UsageError: If there is no such run, it keeps no evaluation with mistakes, or has other weights now, or it
            cannot be written to.
        DamagedError: If a file of it is damaged.
    """
    path = Path(getattr(run, "directory", run)).expanduser()
    if holds_sweep(path):
        raise UsageError(f"{path} is a sweep; --explain looks at one run, such as one of those in it")
    directory = RunDirectory.open(path)
    with RunLock(directory.path):
        kept = main_evaluation(directory.path)
        found = _explained(directory, kept)
        if found:
            _keep(directory, kept, found)
    return len(found)


def _explained(directory: RunDirectory, kept: Evaluation) -> list[Explanation]:
    rows = kept.arrays.get("worst", np.empty(0, dtype=np.int64))[:MISTAKES]
    trained = load_trained(directory.path, "best")
    if trained.digest != kept.document["checkpoint_digest"]:
        split = kept.document["split"]
        raise UsageError(
            f"{kept.name} is of another checkpoint than {directory.path} now has; renew it: "
            f"zoo evaluate {directory.path} --split {split}"
        )
    predictor = Predictor.of(trained)
    return [
        explained_pixels(
            predictor,
            f"image {kept.arrays['places'][row]}",
            torch.from_numpy(pixels),
            kept.classes[kept.outcomes.predictions[row]],
            "auto",
        )
        for row, pixels in zip(rows, kept.arrays.get("worst_pixels", ()), strict=False)
    ]


def _keep(directory: RunDirectory, kept: Evaluation, found: list[Explanation]) -> None:
    heat = np.stack([(each.heat * 255).round().astype(np.uint8) for each in found])
    data, tensors = packed({**_tensors(kept.arrays), "worst_heat": torch.from_numpy(heat)})
    how = {"method": found[0].method, "layer": found[0].layer}
    try:
        keep_evaluation(directory.path, kept.name, {**kept.document, "explained": how, "tensors": tensors}, data)
    except OSError as error:
        raise UsageError(f"cannot write to {directory.path}: {error.strerror}") from error


def _tensors(arrays: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array) for name, array in arrays.items()}
