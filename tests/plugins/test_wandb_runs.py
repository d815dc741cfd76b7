"""Runs on Weights & Biases, with a stand-in for it: what is asked for, and what a resumed run sends again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from fake_distributions import FakeSite, site  # noqa: F401 - a fixture
from fake_wandb import FakeWandB
from zoo_trackers.wandb_runs import WandB

import zoo
from zoo.cli import main

SETTINGS = {"model.name": "linear", "optimizer.lr": 0.1}


@pytest.fixture(autouse=True)
def wandb(monkeypatch: pytest.MonkeyPatch) -> FakeWandB:
    """The stand-in, in a world that says nothing of W&B."""
    for name in ("PROJECT", "MODE", "DIR", "INIT_TIMEOUT", "FINISH_TIMEOUT"):
        monkeypatch.delenv(f"WANDB_{name}", raising=False)
    fake = FakeWandB()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    return fake


def begun(directory: Path, kept: int = 0, **options: Any) -> WandB:
    """Return the observer of a run that begins, or goes on after *kept* epochs, which its metrics.csv has."""
    rows = [f"{number},{5 * number},{1 / number}" for number in range(1, kept + 1)]
    (directory / "metrics.csv").write_text("\n".join(["epoch,step,loss", *rows]) + "\n")
    observer = WandB(**options)
    observer.run_started({"directory": str(directory), "parameters": 7, "device": "cpu", "settings": SETTINGS})
    return observer


def train(observer: WandB, *epochs: int) -> None:
    for number in epochs:
        observer.epoch_finished({"epoch": number, "step": 5 * number, "loss": 1 / number})


def steps(rows: list[dict[str, Any]]) -> list[int]:
    return [row["_step"] for row in rows]


def test_the_run_is_told_with_its_settings_and_keeps_to_itself(wandb: FakeWandB, tmp_path: Path):
    """Its files are in the run's directory, it prints nothing, and another run of the process is not its concern."""
    begun(tmp_path)
    (asked,) = wandb.asked
    assert (asked["name"], asked["project"], asked["dir"]) == (tmp_path.name, "zoo", str(tmp_path))
    assert asked["config"] == {"parameters": 7, "device": "cpu", **SETTINGS}
    assert (asked["resume"], asked["reinit"], asked["mode"]) == ("allow", "create_new", None)
    assert asked["settings"] == {"console": "off", "silent": True, "init_timeout": 10.0, "finish_timeout": 60.0}


def test_what_the_user_says_of_wandb_comes_first(wandb: FakeWandB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """W&B's own variables hold, and the observer's options before them."""
    monkeypatch.setenv("WANDB_PROJECT", "theirs")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("WANDB_FINISH_TIMEOUT", "5")
    begun(tmp_path)
    begun(tmp_path, project="mine", mode="offline")
    assert [(asked["project"], asked["mode"]) for asked in wandb.asked] == [("theirs", None), ("mine", "offline")]
    assert {asked["dir"] for asked in wandb.asked} == {str(tmp_path / "elsewhere")}
    assert all("finish_timeout" not in asked["settings"] for asked in wandb.asked)


def test_the_server_is_asked_what_it_has(wandb: FakeWandB, tmp_path: Path):
    """Of a killed run it may have less than was sent, or more than the checkpoint knows; no row is missing or twice."""
    train(begun(tmp_path), 1, 2, 3)
    (rows,) = wandb.rows.values()
    del rows[-1]  # what the killed process had not uploaded
    train(begun(tmp_path, kept=3), 4)
    train(begun(tmp_path, kept=2), 3, 4, 5)  # from an earlier checkpoint
    assert len(wandb.rows) == 1
    assert steps(rows) == [5, 10, 15, 20, 25]
    assert [row["loss"] for row in rows] == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4, 1 / 5])


def test_offline_the_newest_files_alone_are_the_whole_run(wandb: FakeWandB, tmp_path: Path):
    """Those of the killed process may be empty, and would be uploaded over the newer ones: they go."""
    train(begun(tmp_path, mode="offline"), 1, 2)
    (tmp_path / "wandb" / "offline-run-1-another").mkdir()
    train(begun(tmp_path, kept=1, mode="offline"), 2, 3)
    first, second = wandb.runs
    assert first.id == second.id
    assert steps(second.rows) == [5, 10, 15]
    assert sorted(path.name for path in (tmp_path / "wandb").iterdir()) == [
        "offline-run-1-another",
        f"offline-run-2-{second.id}",
    ]


def test_a_run_that_began_offline_goes_on_online(wandb: FakeWandB, tmp_path: Path):
    """The server knows nothing of it yet and is told all; what would upload it again goes."""
    train(begun(tmp_path, mode="offline"), 1, 2)
    train(begun(tmp_path, kept=2), 3)
    (rows,) = wandb.rows.values()
    assert steps(rows) == [5, 10, 15]
    assert [path.name for path in (tmp_path / "wandb").iterdir()] == [f"run-2-{wandb.runs[0].id}"]


def test_results_stand_in_the_summary(wandb: FakeWandB, tmp_path: Path):
    """The last step's row is written already, and W&B takes no second one of a step."""
    observer = begun(tmp_path)
    train(observer, 1)
    observer.run_finished({"steps": 5, "test_accuracy": 0.5, "test_loss": None, "best_epoch": 1})
    (run,) = wandb.runs
    assert run.summary == {"test_accuracy": 0.5, "best_epoch": 1}
    assert steps(run.rows) == [5]
    assert run.ended == [0]


@pytest.mark.parametrize(("kind", "ended"), [("Interrupted", ["preempting", 1]), ("NonFiniteLossError", [1])])
def test_a_run_that_may_go_on_is_told_from_one_that_failed(
    wandb: FakeWandB, tmp_path: Path, kind: str, ended: list[Any]
):
    """W&B shows the two differently."""
    begun(tmp_path).run_failed({"type": kind})
    assert wandb.runs[0].ended == ended


def test_another_run_in_the_same_directory_is_another_one(wandb: FakeWandB, tmp_path: Path):
    """``--restart`` forgets what was noted."""
    options = {"epochs": 1, "observe": "wandb", "out": tmp_path / "run", "options": {"data.limit": 32}}
    zoo.train("linear", **options)
    zoo.train("linear", restart=True, **options)
    assert len(wandb.rows) == 2
    assert [steps(rows) for rows in wandb.rows.values()] == [[1], [1]]


@pytest.mark.parametrize(
    ("source", "code", "told"),
    [(None, 2, "pip install 'torch-zoo[wandb]'"), ("raise TypeError('odd protobuf')", 3, "TypeError: odd protobuf")],
    ids=["missing", "broken"],
)
def test_without_wandb_one_line_says_so_before_anything_is_written(
    source: str | None,
    code: int,
    told: str,
    site: FakeSite,  # noqa: F811 - the fixture
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    """Be it missing, or broken in itself."""
    if source is None:
        monkeypatch.setitem(sys.modules, "wandb", None)
    else:
        monkeypatch.delitem(sys.modules, "wandb")
        (site.path / "wandb.py").write_text(source)
        monkeypatch.syspath_prepend(str(site.path))
    zoo.entries()  # what is wrong with other plugins is told here
    capsys.readouterr()
    run = tmp_path / "run"
    assert main(["train", "--model", "linear", "--observe", "wandb", "--out", str(run)]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
    assert not run.exists()
