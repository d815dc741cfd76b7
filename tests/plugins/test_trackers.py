"""What every experiment tracker is told, and what is noted so that a resumed run is one: without any tracker."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from zoo_trackers.noting import Tracker

SETTINGS = {"model.name": "linear", "optimizer.lr": 0.1, "optimizer.betas": (0.9, 0.99)}


class Told(Tracker):
    """A tracker that remembers what it is told.

    Args:
        has: The last step that its store has; None where it cannot be asked.
    """

    name = "told"

    def __init__(self, has: int | None = None) -> None:
        super().__init__()
        self.has = has
        self.begun: list[tuple[str | None, str]] = []
        self.sent: list[tuple[int, dict[str, float]]] = []
        self.ended: list[Any] = []

    def begin(self, known: str | None, name: str, settings: Mapping[str, Any]) -> str:
        self.begun.append((known, name))
        self.settings = settings
        return known or "id-1"

    def last_step(self, noted: int) -> int:
        return noted if self.has is None else self.has

    def send(self, measures: Mapping[str, float], step: int) -> None:
        self.sent.append((step, dict(measures)))

    def conclude(self, results: Mapping[str, float], step: int) -> None:
        self.ended.append((step, dict(results)))

    def stop(self, *, interrupted: bool) -> None:
        self.ended.append(interrupted)

    @property
    def steps(self) -> list[int]:
        """The steps that were sent, in their order."""
        return [step for step, _ in self.sent]


def run_in(directory: Path) -> dict[str, Any]:
    return {"directory": str(directory), "parameters": 7, "device": "cpu", "settings": SETTINGS}


def epoch(number: int, **more: Any) -> dict[str, Any]:
    return {"epoch": number, "step": 5 * number, "loss": 1 / (number + 1), "val_loss": None, "lr": 0.1, **more}


def noted(directory: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((directory / "observers" / "told.json").read_text())
    return found


def metrics(directory: Path, count: int) -> None:
    rows = [f"{number},{5 * number},{1 / (number + 1)},,0.1" for number in range(1, count + 1)]
    (directory / "metrics.csv").write_text("\n".join(["epoch,step,loss,val_loss,lr", *rows]) + "\n")


def test_a_first_run_notes_its_id_before_any_epoch(tmp_path: Path):
    """So that a run that is killed in its first epoch goes on as the same one."""
    tracker = Told()
    tracker.run_started(run_in(tmp_path))
    assert tracker.begun == [(None, tmp_path.name)]
    assert noted(tmp_path) == {"id": "id-1", "step": -1}
    assert tracker.sent == []


def test_each_epoch_is_sent_with_what_was_measured_alone(tmp_path: Path):
    """Without validation there is no validation loss; a 0 is a measure, and what the tracker does not know is none."""
    tracker = Told()
    tracker.run_started(run_in(tmp_path))
    tracker.epoch_finished(epoch(1, val_accuracy=0.0, seconds=3.0))
    assert tracker.sent == [(5, {"loss": 0.5, "lr": 0.1, "val_accuracy": 0.0, "epoch": 1})]
    assert noted(tmp_path) == {"id": "id-1", "step": 5}


def test_a_probe_s_epoch_is_sent_too(tmp_path: Path):
    """It is epoch 0 at step 0, and comes before any step."""
    tracker = Told()
    tracker.run_started(run_in(tmp_path))
    tracker.epoch_finished(epoch(0))
    assert tracker.steps == [0]
    tracker.epoch_finished(epoch(0))
    assert tracker.steps == [0]


def test_what_is_trained_again_is_not_sent_twice(tmp_path: Path):
    """A run that goes on from an earlier checkpoint repeats epochs, with the same numbers."""
    first = Told()
    first.run_started(run_in(tmp_path))
    for number in (1, 2, 3):
        first.epoch_finished(epoch(number))
    second = Told()
    second.run_started(run_in(tmp_path))
    assert second.begun == [("id-1", tmp_path.name)]
    for number in (2, 3, 4):
        second.epoch_finished(epoch(number))
    assert second.steps == [20]
    assert noted(tmp_path) == {"id": "id-1", "step": 20}


@pytest.mark.parametrize(("has", "sent"), [(-1, [5, 10, 15]), (5, [10, 15]), (10, [15]), (15, []), (99, [])])
def test_what_the_tracker_had_not_written_is_sent_from_the_run_s_own_file(tmp_path: Path, has: int, sent: list[int]):
    """The note may say more than a tracker that was killed had written: the tracker itself is asked."""
    first = Told()
    first.run_started(run_in(tmp_path))
    for number in (1, 2, 3):
        first.epoch_finished(epoch(number))
    metrics(tmp_path, 3)
    second = Told(has)
    second.run_started(run_in(tmp_path))
    assert second.steps == sent
    assert all(set(measures) == {"loss", "lr", "epoch"} for _, measures in second.sent)
    assert all(measures["epoch"] * 5 == step for step, measures in second.sent)
    if sent:
        assert second.sent[-1] == first.sent[-1]


def test_another_run_s_metrics_are_not_sent_where_nothing_is_noted(tmp_path: Path):
    """A new run in a folder whose metrics.csv was left sends what it measures itself."""
    metrics(tmp_path, 3)
    tracker = Told()
    tracker.run_started(run_in(tmp_path))
    assert tracker.sent == []


@pytest.mark.parametrize("text", ["", "{", "[1]", "7", '"id"', "\udcff"])
def test_a_damaged_note_begins_another_run_of_the_tracker_s(tmp_path: Path, text: str):
    """It must never end a training."""
    (tmp_path / "observers").mkdir()
    (tmp_path / "observers" / "told.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    tracker = Told()
    tracker.run_started(run_in(tmp_path))
    assert tracker.begun == [(None, tmp_path.name)]
    assert noted(tmp_path) == {"id": "id-1", "step": -1}


def test_the_note_is_replaced_in_one_step(tmp_path: Path):
    """And what it is written to first does not stay."""
    tracker = Told()
    tracker.run_started(run_in(tmp_path))
    tracker.epoch_finished(epoch(1))
    assert [path.name for path in (tmp_path / "observers").iterdir()] == ["told.json"]


def test_results_are_those_that_were_measured_at_the_last_step(tmp_path: Path):
    """A run without a test split has no test accuracy; the best epoch may be 0, the probe's."""
    tracker = Told()
    tracker.run_started(run_in(tmp_path))
    tracker.run_finished({"steps": 40, "best_epoch": 0, "test_accuracy": None, "test_loss": 0.25, "val_loss": 9})
    assert tracker.ended == [(40, {"test_loss": 0.25, "best_epoch": 0})]


@pytest.mark.parametrize(
    ("kind", "interrupted"),
    [("Interrupted", True), ("KeyboardInterrupt", True), ("NonFiniteLossError", False), ("interrupted", False)],
)
def test_a_run_that_was_asked_to_stop_is_told_from_one_that_failed(tmp_path: Path, kind: str, interrupted: bool):
    """A tracker shows the two differently."""
    tracker = Told()
    tracker.run_started(run_in(tmp_path))
    tracker.run_failed({"type": kind})
    assert tracker.ended == [interrupted]


def test_a_run_that_failed_before_it_began_ends_nothing():
    """There is no run of the tracker's to end, and no folder to note anything in."""
    tracker = Told()
    tracker.run_failed({"type": "UsageError"})
    tracker.epoch_finished(epoch(1))
    assert tracker.ended == []


def test_a_run_s_name_is_that_of_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Also where it is named by ``.``."""
    monkeypatch.chdir(tmp_path)
    tracker = Told()
    tracker.run_started(run_in(Path()))
    assert tracker.begun == [(None, tmp_path.name)]


def test_settings_are_sent_with_what_is_trained_and_on_what(tmp_path: Path):
    """As one says them: by their keys."""
    tracker = Told()
    tracker.run_started(run_in(tmp_path))
    assert tracker.settings == {"parameters": 7, "device": "cpu", **SETTINGS}
