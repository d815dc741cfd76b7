"""`zoo.calibrate`: the temperature that makes a run's confidence honest, fitted on its validation images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.errors import UsageError
from zoo.records.directory import RunDirectory
from zoo.records.lock import RunLock
from zoo.reports.calibration import write_calibration
from zoo.reports.evaluations import Evaluation, evaluation_names, read_evaluation
from zoo.reports.metrics import fitted_temperature, outcomes_of, reliability


def calibrate(run: str | Path | Any, *, checkpoint: str = "best") -> dict[str, Any]:
    """Fit a run's temperature on its validation images and write it beside the run; `zoo.predict` uses it from then on.

    Dividing all logits by one number changes no prediction, only how confident it is.

    Args:
        run: The run's directory, or what `zoo.train` returned.
        checkpoint: ``"best"`` or ``"last"``; the temperature counts for that checkpoint alone.

    Returns:
        What calibration.json holds: ``temperature``, and ``nll`` and ``ece``, a list each, before and after, on the
        validation images.

    Raises:
        UsageError: If there is no such run or checkpoint, or no images were held out for validation.
        DamagedError: If the checkpoint or the data is damaged.
        ZooError: If another process writes into the run.
    """
    directory = RunDirectory.open(getattr(run, "directory", run))
    evaluation = _of_validation(directory, checkpoint)
    found = _fitted(evaluation)
    with RunLock(directory.path):
        write_calibration(directory.path, found)
    return {"run": str(directory), **found}


def _of_validation(directory: RunDirectory, checkpoint: str) -> Evaluation:
    """Return what the checkpoint said of the validation images: as it was kept, or measured again."""
    name, digest = f"validation-{checkpoint}", directory.checkpoint(checkpoint).manifest.digest
    if name in evaluation_names(directory.path):
        kept = read_evaluation(directory.path, name)
        if kept.document["checkpoint_digest"] == digest and kept.logits is not None:
            return kept
    from zoo.runs.evaluating import on_own_data
    from zoo.runs.loading import load_run
    from zoo.training.arithmetic import own_arithmetic

    with own_arithmetic():
        found = on_own_data(load_run(directory, checkpoint), "validation", checkpoint, limit=None)
    if found["kept"] is None:
        raise UsageError(f"{directory} cannot be written to, so a temperature cannot be kept beside it")
    return read_evaluation(directory.path, name)


def _fitted(evaluation: Evaluation) -> dict[str, Any]:
    logits, labels = evaluation.arrays["logits"], evaluation.outcomes.labels
    temperature = fitted_temperature(logits, labels)
    both = [evaluation.outcomes, outcomes_of(logits, labels, temperature=temperature)]
    return {
        "checkpoint": evaluation.document["checkpoint"],
        "checkpoint_digest": evaluation.document["checkpoint_digest"],
        "samples": len(labels),
        "temperature": temperature,
        "nll": [-float(each.label_log_probability.mean()) for each in both],
        "ece": [reliability(each.confidence, each.right).error for each in both],
    }
