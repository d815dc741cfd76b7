"""A run's directory, and how runs in a folder stand: from files alone, without training anything."""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.config import Config, Layer
from zoo.errors import DamagedError, UsageError
from zoo.records import tree
from zoo.records.checkpoints import CheckpointStore
from zoo.records.directory import COLUMNS, RunDirectory, new_path
from zoo.records.epochs import EpochResult, result_of, results_from
from zoo.records.history import list_runs, status_of
from zoo.records.lock import RunLock

CONFIG = Config.from_layers([Layer("test", {"model": {"name": "mlp/mlp", "p": 0.5}})])


def result(epoch: int, **changed: Any) -> EpochResult:
    values: dict[str, Any] = {
        "epoch": epoch,
        "step": 5 * epoch,
        "loss": 0.5,
        "val_loss": None,
        "val_accuracy": 0.25,
        "lr": 0.1,
        "samples_per_second": 9.0,
        "seconds": 1.5,
    }
    return EpochResult(**{**values, **changed})


def begun(path: Path, status: str | None = None) -> RunDirectory:
    """Make a run that stands like this."""
    directory = RunDirectory(path)
    directory.make()
    directory.write_config(CONFIG)
    if status is not None:
        directory.write_summary({"status": status})
    return directory


def saved(directory: RunDirectory, step: int, results: list[EpochResult], best: Any) -> None:
    """Save a checkpoint that tells of these epochs."""
    progress = {"results": [vars(each) for each in results], "best_epoch": best}
    directory.checkpoints.save(step, tensors={"model": {}}, state={"progress": tree.encode(progress, {})})


def test_a_configuration_is_read_as_it_was_written(tmp_path: Path):
    """All of it, the defaults too."""
    assert begun(tmp_path / "run").read_config() == CONFIG


def test_a_damaged_configuration_is_a_damaged_run(tmp_path: Path):
    """Exit code 4: the user asked for nothing wrong."""
    directory = begun(tmp_path / "run")
    for text in ("model = [", "[model]\nname = 5\n", "[nothing]\nx = 1\n"):
        (directory.path / "config.toml").write_text(text)
        with pytest.raises(DamagedError, match=r"the run '.*' is damaged: "):
            directory.read_config()


@pytest.mark.parametrize(
    ("names", "free"),
    [
        ([], True),
        ([".lock", ".DS_Store"], True),
        (["environment.json"], True),
        (["environment.json", "data.json", "files.json.gz"], True),
        (["data.json"], False),
        (["environment.json", "photo.png"], False),
        (["config.toml"], False),
        (["checkpoints"], False),
    ],
)
def test_a_folder_is_free_where_only_a_run_s_first_moments_are(tmp_path: Path, names: list[str], free: bool):
    """What a kill left before there was a run is replaced; anybody's files are not."""
    for name in names:
        (tmp_path / name).write_text('{"zoo": "0.1"}')
    assert RunDirectory(tmp_path).is_free == free


@pytest.mark.parametrize("text", ["{}", "[]", "{", '{"python": "3.11"}'])
def test_somebody_elses_environment_is_left_alone(tmp_path: Path, text: str):
    """Its name alone makes it none of zoo's."""
    (tmp_path / "environment.json").write_text(text)
    assert not RunDirectory(tmp_path).is_free


def test_a_file_is_not_free_and_a_path_without_one_is(tmp_path: Path):
    """A run can be made at the second."""
    (tmp_path / "file").write_text("")
    assert not RunDirectory(tmp_path / "file").is_free
    assert RunDirectory(tmp_path / "deep" / "none").is_free


def test_what_is_no_run_is_told_from_what_is_not_there(tmp_path: Path):
    """With the command that lists runs."""
    with pytest.raises(UsageError, match=r"there is no run '.*none'; 'zoo runs' lists those in the folder runs"):
        RunDirectory.open(tmp_path / "none")
    with pytest.raises(UsageError, match=r"is no run: it has no config.toml; 'zoo runs' lists"):
        RunDirectory.open(tmp_path)
    assert RunDirectory.open(begun(tmp_path / "run").path).holds_run


def test_a_directory_that_cannot_be_made_says_why(tmp_path: Path):
    """And what to give instead."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot make the run directory .*: Not a directory; give another --out"):
        RunDirectory(tmp_path / "file" / "run").make()
    with pytest.raises(UsageError, match=r"Not a directory; give another --out"):
        RunDirectory(tmp_path / "file" / "run").claimed()


def test_a_directory_that_cannot_be_written_to_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Before anything is computed."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(UsageError, match=r"cannot write to the run directory '.*'; give another --out"):
        RunDirectory(tmp_path / "run").make()


def test_a_name_that_another_process_took_gets_a_number(tmp_path: Path):
    """Each of them has a folder of its own."""
    claimed = [RunDirectory(tmp_path / "a" / "run").claimed().path.name for _ in range(3)]
    assert claimed == ["run", "run-2", "run-3"]


def test_clearing_removes_a_run_and_nothing_else(tmp_path: Path):
    """A lock and anybody's notes stay."""
    directory = begun(tmp_path / "run", "finished")
    directory.write_metrics([result(1)])
    directory.write_environment({"zoo": "1"})
    saved(directory, 5, [result(1)], 1)
    for name in ("data.json", "files.json.gz", "calibration.json", "report.html", "report.json", "notes.txt", ".lock"):
        (directory.path / name).write_text("")
    (directory.path / "evaluations").mkdir()
    (directory.path / "evaluations" / "test.json").write_text("")
    directory.clear()
    assert sorted(path.name for path in directory.path.iterdir()) == [".lock", "notes.txt"]
    directory.clear()


def test_metrics_are_a_row_an_epoch_with_nothing_for_what_was_not_measured(tmp_path: Path):
    """Written whole each time: a shorter history leaves no rows behind."""
    directory = begun(tmp_path / "run")
    directory.write_metrics([result(1), result(2)])
    directory.write_metrics([result(1, val_balanced_accuracy=0.125)])
    with (directory.path / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [list(row) for row in rows] == [COLUMNS]
    assert rows[0]["val_loss"] == ""
    assert (float(rows[0]["loss"]), float(rows[0]["val_balanced_accuracy"])) == (0.5, 0.125)
    assert b"\r" not in (directory.path / "metrics.csv").read_bytes()


@pytest.mark.parametrize("text", ["[]", "7", "null"])
def test_a_summary_of_another_form_is_damaged(tmp_path: Path, text: str):
    """None at all is that of a run that began."""
    directory = begun(tmp_path / "run")
    assert directory.read_summary() == {}
    (directory.path / "summary.json").write_text(text)
    with pytest.raises(DamagedError, match=r"summary.json is damaged: it holds no JSON object"):
        directory.read_summary()


def test_best_and_last_checkpoint_are_told_apart(tmp_path: Path):
    """The best is that of the best epoch, which may be the last."""
    directory = begun(tmp_path / "run")
    with pytest.raises(UsageError, match=r"has no checkpoint yet; 'zoo train --resume .*' goes on with it"):
        directory.checkpoint("best")
    saved(directory, 5, [result(1)], 1)
    assert directory.checkpoint("best").step == directory.checkpoint("last").step == 5
    saved(directory, 10, [result(1), result(2)], 1)
    assert (directory.checkpoint("best").step, directory.checkpoint("last").step) == (5, 10)
    with pytest.raises(UsageError, match="there is no checkpoint 'first'; choose from best, last"):
        directory.checkpoint("first")


def test_a_checkpoint_before_the_first_epoch_is_its_own_best(tmp_path: Path):
    """Epoch 0 is best of none."""
    directory = begun(tmp_path / "run")
    saved(directory, 3, [], 0)
    assert directory.checkpoint("best").step == 3


@pytest.mark.parametrize("best", [0, 3, None, "1", 1.0])
def test_a_best_epoch_that_there_is_not_is_damage(tmp_path: Path, best: Any):
    """It would be another epoch's weights under its name."""
    directory = begun(tmp_path / "run")
    saved(directory, 10, [result(1), result(2)], best)
    with pytest.raises(DamagedError, match=re.escape(f"misstates the best epoch: {best!r} of 2")):
        directory.checkpoint("best")


def test_a_best_checkpoint_that_is_gone_says_what_can_be_had(tmp_path: Path):
    """The last one stands."""
    directory = begun(tmp_path / "run")
    saved(directory, 10, [result(1), result(2)], 1)
    with pytest.raises(DamagedError, match="has lost its best checkpoint, step 5; --checkpoint last takes 10"):
        directory.checkpoint("best")
    assert directory.checkpoint("last").step == 10


@pytest.mark.parametrize(
    "state",
    [{}, {"progress": tree.encode({"results": [{"epoch": 1}]}, {})}, {"progress": tree.encode({"more": 1}, {})}],
)
def test_epochs_of_another_form_are_damage(state: Any):
    """The error says what is missing."""
    with pytest.raises(DamagedError, match=r"state.json lacks or misstates the epochs: "):
        results_from(state)


@given(st.lists(st.integers(0, 20), unique=True), st.integers(0, 20))
def test_an_epoch_is_found_by_its_number(numbers: list[int], wanted: int):
    """In whatever order they are; none where it is not among them."""
    found = result_of([result(number) for number in numbers], wanted)
    assert (found.epoch if found else None) == (wanted if wanted in numbers else None)


@pytest.mark.parametrize(
    ("model", "data", "name"),
    [
        ("cnn/cnn_dropout", "mnist", "cnn_dropout-mnist"),
        ("a b&c", "folder/x", "a_b_c-x"),
        ("timm/resnet18.a1", "hf/../..", "resnet18.a1-.."),
        ("größe", "d", "gr_e-d"),
    ],
)
def test_a_new_run_s_name_is_time_model_and_data_without_odd_characters(
    tmp_path: Path, model: str, data: str, name: str
):
    """One folder deep whatever they are called."""
    path = new_path(model, data, tmp_path)
    assert path.parent == tmp_path
    assert re.fullmatch(r"\d{8}-\d{6}-" + re.escape(name), path.name)


def test_a_new_path_does_not_exist_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs of one second are numbered."""
    monkeypatch.setattr("time.strftime", lambda _: "then")
    found = []
    for _ in range(3):
        found.append(new_path("m", "d", tmp_path))
        found[-1].mkdir()
    assert [path.name for path in found] == ["then-m-d", "then-m-d-2", "then-m-d-3"]


@pytest.mark.parametrize(
    ("recorded", "shown"),
    [
        ({"status": "finished"}, "finished"),
        ({"status": "interrupted"}, "interrupted"),
        ({"status": "failed"}, "failed"),
        ({"status": "running"}, "killed"),
        ({}, "killed"),
        ({"epochs": 3}, "damaged"),
    ],
)
def test_how_a_run_stands(tmp_path: Path, recorded: dict[str, Any], shown: str):
    """A run that says that it goes on while no process holds it was killed."""
    directory = begun(tmp_path / "run")
    assert status_of(directory, recorded) == shown
    with RunLock(directory.path):
        assert status_of(directory, recorded) == "running"
    assert status_of(directory, recorded) == shown


def test_runs_are_listed_by_name_and_other_folders_are_not(tmp_path: Path):
    """With what each came to, and its damage."""
    begun(tmp_path / "b", "finished")
    begun(tmp_path / "a", "failed")
    damaged = begun(tmp_path / "c")
    (damaged.path / "summary.json").write_text("{")
    (tmp_path / "photos").mkdir()
    (tmp_path / "notes.txt").write_text("")
    found = list_runs(tmp_path)
    assert [(run.directory.name, run.status) for run in found] == [("a", "failed"), ("b", "finished"), ("c", "damaged")]
    assert [bool(run.damages) for run in found] == [False, False, True]
    assert found[0].summary == {"status": "failed"}
    assert found[2].summary == {}
    assert "summary.json" in found[2].damages[0]


def test_a_run_that_goes_on_is_running_although_its_summary_is_damaged(tmp_path: Path):
    """It will write it again; the damage is told."""
    directory = begun(tmp_path / "run")
    (directory.path / "summary.json").write_text("{")
    with RunLock(directory.path):
        (found,) = list_runs(tmp_path)
    assert found.status == "running"
    assert len(found.damages) == 1


def test_a_missing_folder_says_how_to_make_a_first_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Also where a file has its name; a home directory may be meant by ~."""
    (tmp_path / "file").write_text("")
    for name in ("none", "file"):
        with pytest.raises(
            UsageError, match=r"there is no folder .*; 'zoo train --model cnn_dropout' makes the first run"
        ):
            list_runs(tmp_path / name)
    monkeypatch.setenv("HOME", str(tmp_path))
    begun(tmp_path / "runs" / "a", "finished")
    assert [run.directory.name for run in list_runs("~/runs")] == ["a"]


def test_a_summary_is_json_that_others_read(tmp_path: Path):
    """One line end at its end, and no number that JSON has not."""
    directory = begun(tmp_path / "run")
    directory.write_summary({"b": 1, "a": [None, 0.5]})
    text = (directory.path / "summary.json").read_text()
    assert text.endswith("}\n")
    assert json.loads(text) == {"b": 1, "a": [None, 0.5]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        directory.write_summary({"loss": float("nan")})
    assert json.loads((directory.path / "summary.json").read_text()) == {"b": 1, "a": [None, 0.5]}


def test_a_store_of_another_name_is_no_run_s(tmp_path: Path):
    """Checkpoints are looked for below the run alone."""
    directory = begun(tmp_path / "run")
    CheckpointStore(tmp_path / "elsewhere").save(1, tensors={"model": {}}, state={})
    assert directory.checkpoints.newest() is None
