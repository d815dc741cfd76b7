"""What every tracker is told, and what is noted in the run's directory so that a resumed run is one run."""

from __future__ import annotations

import csv
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_MEASURES = ("loss", "val_loss", "val_accuracy", "val_balanced_accuracy", "lr", "samples_per_second")
_NONE = -1  # steps: a probe's epoch is at step 0
_RESULTS = ("test_accuracy", "test_loss", "test_balanced_accuracy", "best_epoch")
_FOLDER = "observers"  # zoo removes it where a run begins anew in the same directory


class Tracker(ABC):
    """An observer that sends what happens to an experiment tracker.

    The tracker's own id of the run, and the last step that was sent, are kept in ``RUN/observers/NAME.json``. A run
    that goes on after an interruption trains some epochs again, with the same numbers: they are not sent twice, and
    what the tracker had not written when it was killed is sent from metrics.csv. Where the tracker fails, zoo says so
    in one line and trains on without it.
    """

    name: str
    """The tracker's, as the file is called."""

    def __init__(self) -> None:
        self.directory = Path()  # the run's, once it has begun
        self._note: Path | None = None
        self._sent = _NONE  # the last step that the tracker has

    def run_started(self, run: Mapping[str, Any]) -> None:
        """Begin a run of the tracker's, or go on with the one that is noted."""
        self.directory = Path(run["directory"]).resolve()
        self._note = self.directory / _FOLDER / f"{self.name}.json"
        noted = _read(self._note)
        settings = {"parameters": run["parameters"], "device": run["device"], **run["settings"]}
        found = self.begin(noted.get("id"), self.directory.name, settings)
        self._sent = self.last_step(int(noted.get("step", _NONE))) if noted else _NONE
        self._write(found)
        for epoch in _epochs(self.directory / "metrics.csv") if noted else ():
            self.epoch_finished(epoch)

    def epoch_finished(self, epoch: Mapping[str, Any]) -> None:
        """Send an epoch's measures, unless the tracker has them."""
        if epoch["step"] > self._sent:
            measures = {name: epoch[name] for name in _MEASURES if epoch.get(name) is not None}
            self.send({**measures, "epoch": epoch["epoch"]}, epoch["step"])
            self._sent = epoch["step"]
            self._write(None)

    def run_finished(self, summary: Mapping[str, Any]) -> None:
        """Send the results, and end the tracker's run."""
        results = {name: summary[name] for name in _RESULTS if summary.get(name) is not None}
        self.conclude(results, summary["steps"])

    def run_failed(self, error: Mapping[str, Any]) -> None:
        """End the tracker's run for now: it may go on."""
        if self._note is not None:
            self.stop(interrupted=error["type"] in ("Interrupted", "KeyboardInterrupt"))

    @abstractmethod
    def begin(self, known: str | None, name: str, settings: Mapping[str, Any]) -> str:
        """Begin a run, or go on with the one that is *known* by its id; return the id."""

    @abstractmethod
    def last_step(self, noted: int) -> int:
        """Return the last step that the tracker has of the run; where it cannot be asked, the *noted* one."""

    @abstractmethod
    def send(self, measures: Mapping[str, float], step: int) -> None:
        """Send an epoch's measures."""

    @abstractmethod
    def conclude(self, results: Mapping[str, float], step: int) -> None:
        """Send what the run came to at its last step, and end it."""

    @abstractmethod
    def stop(self, *, interrupted: bool) -> None:
        """End a run that may go on."""

    def _write(self, found: str | None) -> None:
        if self._note is None:
            return
        noted = {**_read(self._note), **({} if found is None else {"id": found}), "step": self._sent}
        self._note.parent.mkdir(exist_ok=True)
        new = self._note.with_suffix(".json.new")
        new.write_text(json.dumps(noted) + "\n", encoding="utf-8")
        os.replace(new, self._note)  # noqa: PTH105 - in one step


def _epochs(path: Path) -> list[dict[str, Any]]:
    """Return the epochs of a run's metrics.csv; none where it wrote nothing yet."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]
    return [{**row, "epoch": int(row["epoch"]), "step": int(row["step"])} for row in rows]


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none yet, or damaged: the tracker begins another run
        return {}
    return found if isinstance(found, dict) else {}
