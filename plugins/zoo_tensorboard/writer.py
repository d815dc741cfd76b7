"""Event files for TensorBoard, written record by record: no thread, no TensorFlow, nothing left open."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zoo

FOLDER = "tensorboard"
_PREFIX, _SUFFIX = "events.out.tfevents", "zoo"
_CURVES = {
    "loss/train": "loss",
    "loss/validation": "val_loss",
    "accuracy/validation": "val_accuracy",
    "lr": "lr",
    "samples_per_second": "samples_per_second",
}


class TensorBoard:
    """Writes the losses, the accuracies, the rate and the speed of a run, a point an epoch.

    An epoch that is trained again after an interruption replaces its earlier point; a run that begins anew leaves
    none of the old ones.

    Raises:
        UsageError: If TensorBoard is not installed.
    """

    def __init__(self) -> None:
        # `torch.utils.tensorboard` would import TensorFlow where that is installed, which takes seconds.
        try:
            from tensorboard.compat.proto import event_pb2, summary_pb2
            from tensorboard.summary.writer.record_writer import RecordWriter
        except ImportError as error:
            raise zoo.UsageError(
                f"the observer 'tensorboard' needs TensorBoard: pip install 'torch-zoo[tensorboard]' ({error})"
            ) from error
        self._events, self._summaries, self._records = event_pb2, summary_pb2, RecordWriter
        self._path: Path | None = None

    def epoch_finished(self, run: Mapping[str, Any], epoch: Mapping[str, Any]) -> None:
        """Add the epoch's points; an epoch without validation has none of its measures."""
        if self._path is None:
            folder = Path(run["directory"]) / FOLDER
            if epoch["epoch"] == 1:
                _remove(folder)
            self._path = self._begin(folder)
            # TensorBoard discards what earlier files hold from this step on: those epochs are trained again.
            log = self._events.SessionLog(status=self._events.SessionLog.START)
            self._append(self._path, step=epoch["step"], session_log=log)
        self._add(self._path, epoch["step"], {tag: epoch.get(column) for tag, column in _CURVES.items()})

    def run_finished(self, run: Mapping[str, Any], summary: Mapping[str, Any]) -> None:
        """Add what the best epoch's weights reach on the test set, at the run's last step."""
        # A run that was stopped after its last epoch has none to tell of when it goes on.
        self._path = self._path or self._begin(Path(run["directory"]) / FOLDER)
        points = {"accuracy/test": summary["test_accuracy"], "loss/test": summary["test_loss"]}
        self._add(self._path, summary["steps"], points)

    def _begin(self, folder: Path) -> Path:
        """Begin this process's file. TensorBoard reads a folder's files in the order of their names."""
        folder.mkdir(exist_ok=True)
        path = folder / f"{_PREFIX}.{time.time():.6f}.{_SUFFIX}"
        self._append(path, file_version="brain.Event:2")
        return path

    def _add(self, path: Path, step: int, points: Mapping[str, float | None]) -> None:
        value = self._summaries.Summary.Value
        values = [value(tag=tag, simple_value=point) for tag, point in points.items() if point is not None]
        self._append(path, step=step, summary=self._summaries.Summary(value=values))

    def _append(self, path: Path, **content: Any) -> None:
        """Write one record. The file is open no longer than that, so a killed run loses nothing."""
        event = self._events.Event(wall_time=time.time(), **content)
        with path.open("ab") as file:
            self._records(file).write(event.SerializeToString())


def _remove(folder: Path) -> None:
    """Remove what an earlier run left, which began anew or never finished an epoch."""
    for stale in folder.glob(f"{_PREFIX}.*.{_SUFFIX}"):
        stale.unlink()
