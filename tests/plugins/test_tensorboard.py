"""The TensorBoard observer, its event files read back by TensorBoard itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from fake_distributions import FakeSite, site  # noqa: F401 - a fixture
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from zoo_tensorboard.writer import TensorBoard

import zoo
from zoo.cli import main

SUMMARY = {"steps": 20, "test_accuracy": 0.75, "test_loss": 0.5}


def epoch(number: int, loss: float, **more: Any) -> dict[str, Any]:
    return {"epoch": number, "step": number * 10, "loss": loss, "lr": 0.1, "samples_per_second": 9.0, **more}


def curve(run: Path, tag: str) -> list[tuple[int, float]]:
    """Return a curve's points as TensorBoard reads them."""
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    return [(event.step, round(event.value, 6)) for event in events.Scalars(tag)]


def test_a_run_leaves_curves_that_equal_its_metrics(tmp_path: Path) -> None:
    """Each row of metrics.csv is a point, and the test set's measures stand at the last step."""
    run = zoo.train(
        "linear",
        observe="tensorboard",
        epochs=2,
        batch_size=16,
        validation=16,
        out=tmp_path / "run",
        options={"data.limit": 32},
    )
    assert curve(run.directory, "loss/train") == [(row.step, round(row.loss, 6)) for row in run.metrics]
    assert curve(run.directory, "loss/validation") == [(row.step, round(row.val_loss or 0, 6)) for row in run.metrics]
    assert curve(run.directory, "accuracy/test") == [(run.metrics[-1].step, round(run.test_accuracy, 6))]


def test_an_epoch_that_is_trained_again_replaces_its_point(tmp_path: Path) -> None:
    """A killed run goes on from its last checkpoint: no step is there twice, and the earlier ones stay."""
    run = {"directory": str(tmp_path)}
    killed = TensorBoard()
    for number in (1, 2, 3):
        killed.epoch_finished(run, epoch(number, loss=number))
    resumed = TensorBoard()
    for number in (2, 3, 4):
        resumed.epoch_finished(run, epoch(number, loss=number + 0.5))
    assert curve(tmp_path, "loss/train") == [(10, 1.0), (20, 2.5), (30, 3.5), (40, 4.5)]


def test_a_run_that_begins_anew_keeps_no_old_point(tmp_path: Path) -> None:
    """What a longer run left behind does not stand beside the new one's curve."""
    run = {"directory": str(tmp_path)}
    old = TensorBoard()
    for number in (1, 2):
        old.epoch_finished(run, epoch(number, loss=number))
    old.run_finished(run, SUMMARY)
    TensorBoard().epoch_finished(run, epoch(1, loss=7.0))
    assert curve(tmp_path, "loss/train") == [(10, 7.0)]
    with pytest.raises(KeyError):
        curve(tmp_path, "accuracy/test")


def test_a_run_that_stopped_after_its_last_epoch_adds_the_test_measures(tmp_path: Path) -> None:
    """Going on with it trains no epoch, takes no point away and still tells the end."""
    run = {"directory": str(tmp_path)}
    stopped = TensorBoard()
    for number in (1, 2):
        stopped.epoch_finished(run, epoch(number, loss=number))
    TensorBoard().run_finished(run, SUMMARY)
    assert curve(tmp_path, "loss/train") == [(10, 1.0), (20, 2.0)]
    assert curve(tmp_path, "accuracy/test") == [(20, 0.75)]


def test_a_run_without_validation_has_no_curve_of_it(tmp_path: Path) -> None:
    """A measure that was not taken is left out, not written as zero."""
    TensorBoard().epoch_finished({"directory": str(tmp_path)}, epoch(1, 1.0, val_loss=None, val_accuracy=None))
    with pytest.raises(KeyError):
        curve(tmp_path, "loss/validation")


def test_without_tensorboard_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The package is an extra: choosing the observer without it is wrong usage, told before anything is written."""
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto", None)
    zoo.entries()  # what is wrong with other plugins is told here
    capsys.readouterr()
    run = tmp_path / "run"
    assert main(["train", "--model", "linear", "--observe", "tensorboard", "--out", str(run)]) == 2
    told = capsys.readouterr().err
    assert "pip install 'torch-zoo[tensorboard]'" in told
    assert len(told.splitlines()) == 1
    assert not run.exists()


def test_tensorflow_is_not_imported(site: FakeSite, tmp_path: Path) -> None:  # noqa: F811 - the fixture
    """TensorBoard's own writers import TensorFlow where it is installed; ours does not."""
    (site.path / "tensorflow.py").write_text("raise SystemExit('TensorFlow was imported')")
    code = (
        "from zoo_tensorboard.writer import TensorBoard; "
        f"TensorBoard().run_finished({{'directory': {str(tmp_path)!r}}}, {SUMMARY!r})"
    )
    done = site.python(code)
    assert done.returncode == 0, done.stderr
    assert curve(tmp_path, "accuracy/test") == [(20, 0.75)]
