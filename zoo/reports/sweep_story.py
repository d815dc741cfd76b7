"""What is to be told of a sweep, gathered from its record and its runs as plain data: report.json of its folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import DamagedError
from zoo.records.claims import Claims
from zoo.records.directory import RunDirectory
from zoo.records.history import status_of
from zoo.records.sweeps import SweepRecord, read_sweep, score_of
from zoo.reports.details import (
    classes_by_recall,
    confused_pairs,
    matrix_of,
    metrics_without_classes,
    mistakes_of,
    suspicions_of,
)
from zoo.reports.evaluations import Evaluation, evaluation_names, read_evaluation
from zoo.reports.importances import explained
from zoo.reports.pooling import OUT_OF_FOLD
from zoo.reports.statistics import mean_of
from zoo.reports.story import Story, read_epochs

SCHEMA = 1

_MEANS = ("val_accuracy", "val_loss", "test_accuracy", "test_loss")
_TOLD = ("val_accuracy", "val_loss", "test_accuracy", "seconds", "epochs")


@dataclass(frozen=True)
class _Told:
    """One run as its files tell of it, and its place in the sweep."""

    name: str
    settings: Mapping[str, Any]
    status: str
    summary: Mapping[str, Any]
    epochs: Sequence[Mapping[str, Any]]

    @property
    def score(self) -> float | None:
        if self.status != "finished":
            return None
        return score_of(self.summary, self.summary.get("select", "accuracy"))


def sweep_story_of(path: Path) -> Story:
    """Gather what is to be told of a sweep, whether it is finished or still going on.

    Raises:
        DamagedError: If its record or its pooled evaluation is damaged; a damaged run is told as one.
    """
    record = read_sweep(path)
    runs = [_told(path / name, settings) for name, settings in zip(record.names, record.runs, strict=True)]
    pooled = read_evaluation(path, OUT_OF_FOLD) if OUT_OF_FOLD in evaluation_names(path) else None
    mistakes, pixels = mistakes_of(pooled)
    best = _best(runs) if record.kind == "search" else None
    document = {
        "schema": SCHEMA,
        "name": path.resolve().name,
        "kind": record.kind,
        "status": _status(runs),
        "model": record.config.model.name,
        "data": record.config.data.name,
        "question": dict(record.question),
        "select": record.config.train.select,
        "headline": _headline(record, runs, pooled),
        "means": _means(record, runs),
        "best": best.name if best else None,
        "settings": _searched(record, runs),
        "runs": [_row(run, record) for run in runs],
        "warnings": [*_failures(runs), *suspicions_of(pooled)],
        "details_of": "out-of-fold" if pooled else None,
        "metrics": metrics_without_classes(pooled),
        "classes": classes_by_recall(pooled),
        "confused": confused_pairs(pooled),
        "matrix": matrix_of(pooled),
        "mistakes": mistakes,
        "explained": None,
    }
    return Story(document, pixels)


def _told(directory: Path, settings: Mapping[str, Any]) -> _Told:
    run = RunDirectory(directory)
    try:
        summary = run.read_summary() if run.holds_run else {}
        status = "running" if Claims(directory.parent).is_held(directory.name) else "failed"
        if run.holds_run and status != "running":
            status = status_of(run, summary)
        return _Told(directory.name, settings, status, summary, read_epochs(directory))
    except DamagedError:
        return _Told(directory.name, settings, "damaged", {}, [])


def _status(runs: Sequence[_Told]) -> str:
    if any(run.status == "running" for run in runs):
        return "running"
    return "finished" if runs and all(run.status in ("finished", "pruned", "failed") for run in runs) else "interrupted"


def _best(runs: Sequence[_Told]) -> _Told | None:
    """Return the run that is best on the validation images, the first of equal ones."""
    scored = [run for run in runs if run.score is not None]
    return max(scored, key=lambda run: run.score or 0.0) if scored else None


def _headline(record: SweepRecord, runs: Sequence[_Told], pooled: Evaluation | None) -> dict[str, Any] | None:
    """Return the number that is shown large: out of fold, the mean of the seeds, or the best trial's."""
    if record.kind == "folds":
        if pooled is None:
            return None
        metrics = pooled.document["metrics"]
        words = f"on {pooled.document['samples']:,} images, each by a model that had not learnt it"
        return {
            "what": "out-of-fold accuracy",
            "value": metrics["accuracy"],
            "interval": metrics["accuracy_interval"],
            "words": words,
        }
    if record.kind == "seeds":
        found = _means(record, runs).get("test_accuracy") or _means(record, runs).get("val_accuracy")
        if found is None:
            return None
        words = f"over other seeds, from {found['count']} of them"
        what = "mean test accuracy" if "test_accuracy" in _means(record, runs) else "mean validation accuracy"
        interval = found["interval"] and list(found["interval"].values())
        return {"what": what, "value": found["value"], "interval": interval, "words": words}
    best = _best(runs)
    if best is None or best.summary.get("val_accuracy") is None:
        return None
    test = best.summary.get("test_accuracy")
    words = f"{best.name}, the best of {sum(run.score is not None for run in runs)}"
    words += f"; its test accuracy is {100 * test:.2f} %" if test is not None else ""
    value = best.summary["val_accuracy"]
    return {"what": "best validation accuracy", "value": value, "interval": None, "words": words}


def _means(record: SweepRecord, runs: Sequence[_Told]) -> dict[str, Any]:
    """Return each measure on average of the finished runs; a search has none."""
    done = [run.summary for run in runs if run.status == "finished"] if record.kind != "search" else []
    values = {key: [summary.get(key) for summary in done] for key in _MEANS}
    known = {key: [float(value) for value in found if value is not None] for key, found in values.items()}
    return {
        key: dataclasses.asdict(mean_of(found)) for key, found in known.items() if found and len(found) == len(done)
    }


def _searched(record: SweepRecord, runs: Sequence[_Told]) -> list[dict[str, Any]]:
    """Return the searched settings, the one that explains most first."""
    if record.kind != "search":
        return []
    scored = [run for run in runs if run.score is not None]
    found = [
        {
            "key": key,
            "space": space,
            "explained": explained([run.settings[key] for run in scored], [run.score or 0.0 for run in scored]),
        }
        for key, space in dict(record.question.get("space", {})).items()
    ]
    return sorted(found, key=lambda each: -(each["explained"] or 0.0))


def _row(run: _Told, record: SweepRecord) -> dict[str, Any]:
    """Return a run's row; a search looks at the test images of its best alone, so the others' are not shown."""
    keys = [key for key in _TOLD if key != "test_accuracy" or record.kind != "search"]
    return {
        "name": run.name,
        "status": run.status,
        "settings": dict(run.settings),
        "score": run.score,
        **{key: run.summary.get(key) for key in keys},
        "curve": [row.get("val_accuracy") for row in run.epochs],
    }


def _failures(runs: Sequence[_Told]) -> list[dict[str, Any]]:
    failed = [run.name for run in runs if run.status in ("failed", "killed", "damaged", "interrupted")]
    if not failed:
        return []
    names = ", ".join(failed[:5]) + (f" and {len(failed) - 5} more" if len(failed) > 5 else "")
    text = f"{len(failed)} of {len(runs)} runs did not come to their end: {names}. The same command tries them again."
    return [{"kind": "unfinished runs", "text": text}]
