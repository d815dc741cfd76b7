"""Event files for TensorBoard, written record by record: no thread, no TensorFlow, nothing left open."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zoo
from zoo_tensorboard import hparams

FOLDER = "tensorboard"
_PREFIX, _SUFFIX = "events.out.tfevents", "zoo"
_BEST = "accuracy/best_validation"  # so far; the HPARAMS tab shows a curve's last point
_CURVES = {
    "loss/train": "loss",
    "loss/validation": "val_loss",
    "accuracy/validation": "val_accuracy",
    "lr": "lr",
    "samples_per_second": "samples_per_second",
}


class TensorBoard:
    """Writes a run's curves, its settings for the HPARAMS tab, and as it ends pictures of what it mistook.

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
        self._path = Path()
        self._goes_on = False
        self._best: float | None = None

    def run_started(self, run: Mapping[str, Any]) -> None:
        """Begin this process's file, and in the run's first one tell its settings."""
        directory = Path(run["directory"])
        folder, accuracies = directory / FOLDER, _accuracies(directory / "metrics.csv")
        self._goes_on = bool(accuracies)
        self._best = max((each for each in accuracies if each is not None), default=None)
        if not self._goes_on:  # what is there is of another run, or of this one before its first epoch was over
            _remove(folder)
        folder.mkdir(exist_ok=True)
        # TensorBoard reads a folder's files in the order of their names.
        self._path = folder / f"{_PREFIX}.{time.time():.6f}.{_SUFFIX}"
        self._append(file_version="brain.Event:2")
        if not self._goes_on:
            self._add(0, hparams.started({"parameters": run["parameters"], **run["settings"]}))

    def epoch_finished(self, epoch: Mapping[str, Any]) -> None:
        """Add the epoch's points; an epoch without validation has none of its measures."""
        if self._goes_on:
            # TensorBoard discards what earlier files hold from this step on: those epochs are trained again.
            log = self._events.SessionLog(status=self._events.SessionLog.START)
            self._append(step=epoch["step"], session_log=log)
            self._goes_on = False
        accuracies = [each for each in (self._best, epoch.get("val_accuracy")) if each is not None]
        self._best = max(accuracies, default=None)
        self._add_points(
            epoch["step"], {tag: epoch.get(column) for tag, column in _CURVES.items()} | {_BEST: self._best}
        )

    def run_finished(self, run: Mapping[str, Any], summary: Mapping[str, Any]) -> None:
        """Add what the best epoch's weights reach on the test set, at the run's last step, with pictures of that."""
        step = summary["steps"]
        self._add_points(step, {"accuracy/test": summary["test_accuracy"], "loss/test": summary["test_loss"]})
        self._add(step, hparams.finished())
        try:
            pictures = zoo.evaluation_pictures(run["directory"])
        except zoo.UsageError:  # the disk had no room for the evaluation, which zoo has told
            return
        for name, picture in pictures.items():
            self._add(step, {"tag": name, "image": self._image(picture)})

    def _add_points(self, step: int, points: Mapping[str, float | None]) -> None:
        self._add(step, *({"tag": tag, "simple_value": each} for tag, each in points.items() if each is not None))

    def _add(self, step: int, *values: Mapping[str, Any]) -> None:
        summaries = self._summaries
        self._append(step=step, summary=summaries.Summary(value=[summaries.Summary.Value(**each) for each in values]))

    def _append(self, **content: Any) -> None:
        """Write one record. The file is open no longer than that, so a killed run loses nothing."""
        event = self._events.Event(wall_time=time.time(), **content)
        with self._path.open("ab") as file:
            self._records(file).write(event.SerializeToString())

    def _image(self, picture: Any) -> Any:
        """Return a picture of Pillow's as TensorBoard keeps it: photographs as JPEG, which is a tenth of the bytes."""
        stream = io.BytesIO()
        if picture.mode == "RGB":
            picture.save(stream, "JPEG", quality=85)
        else:
            picture.save(stream, "PNG", optimize=True)
        return self._summaries.Summary.Image(
            width=picture.width, height=picture.height, colorspace=3, encoded_image_string=stream.getvalue()
        )


def _accuracies(path: Path) -> list[float | None]:
    """Return the validation accuracies of the epochs that a run goes on after, None where one was not measured."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [float(row["val_accuracy"]) if row.get("val_accuracy") else None for row in csv.DictReader(file)]


def _remove(folder: Path) -> None:
    """Remove what an earlier run left, which began anew or never finished an epoch."""
    for stale in folder.glob(f"{_PREFIX}.*.{_SUFFIX}"):
        stale.unlink()
