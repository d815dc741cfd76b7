"""Which checkpoint a run's model is loaded from, also where one is damaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from small_images import small_dataset
from torch import nn

import zoo
from zoo.errors import DamagedError, UsageError
from zoo.records.directory import RunDirectory
from zoo.runs.loading import load_run


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> zoo.Run:
    """A run of three epochs whose last one is the best."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    path = tmp_path_factory.mktemp("loading") / "run"
    run = zoo.train(net, data=small_dataset(), epochs=3, batch_size=16, lr=0.01, validation=0, threads=1, out=path)
    assert run.summary["best_epoch"] == 3
    return run


@pytest.fixture
def run(finished: zoo.Run, tmp_path: Path) -> RunDirectory:
    """A copy to spoil."""
    shutil.copytree(finished.directory, tmp_path / "run")
    return RunDirectory.open(tmp_path / "run")


def damage(run: RunDirectory, step: int) -> None:
    path = run.path / "checkpoints" / f"step-{step:08}" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


def test_the_best_and_the_last_are_those_that_the_run_recorded(run: RunDirectory, finished: zoo.Run):
    """Without validation they are the same."""
    steps = finished.summary["steps"]
    assert run.checkpoint("best").step == run.checkpoint("last").step == steps


def test_an_older_best_never_passes_for_the_damaged_one(run: RunDirectory, finished: zoo.Run):
    """The epoch before would give other numbers under the name of the best; the last whole one must be asked for."""
    third, second = (finished.metrics[index].step for index in (2, 1))
    damage(run, third)
    with pytest.raises(DamagedError, match=f"step-{third:08}/model.safetensors is damaged.*takes step {second}$"):
        run.checkpoint("best")
    assert run.checkpoint("last").step == second


def test_the_damage_that_an_older_checkpoint_stands_in_for_is_named(
    run: RunDirectory, finished: zoo.Run, caplog: pytest.LogCaptureFixture
):
    """`evaluate --checkpoint last` tells whose numbers these are."""
    step = finished.summary["steps"]
    damage(run, step)
    load_run(run, "last", objects={"model": nn.Sequential(nn.Flatten(), nn.Linear(64, 3))})
    assert f"step-{step:08}/model.safetensors is damaged" in caplog.text
    assert "the checkpoint before it is used" in caplog.text


def test_damage_to_a_checkpoint_that_is_not_the_best_changes_nothing(run: RunDirectory, finished: zoo.Run):
    """Only what is loaded must be whole."""
    damage(run, finished.metrics[1].step)
    assert run.checkpoint("best").step == finished.summary["steps"]


def test_a_run_without_checkpoints_says_how_to_get_one(run: RunDirectory):
    """It was killed before its first save."""
    shutil.rmtree(run.path / "checkpoints")
    with pytest.raises(UsageError, match="has no checkpoint yet; 'zoo train --resume"):
        run.checkpoint("last")


def test_a_run_that_was_trained_on_another_device_is_used_on_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A model is trained where there is a GPU, and used where there is none."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    settings = {"device": "cpu", "threads": 1, "options": {"data.limit": 64}}
    run = zoo.train("linear", epochs=1, out=tmp_path / "run", **settings)
    config = run.directory / "config.toml"
    config.write_text(config.read_text().replace('device = "cpu"', 'device = "cuda"'))
    assert zoo.evaluate(run.directory)["accuracy"] == run.test_accuracy


@pytest.mark.parametrize("builder", [True, False], ids=["builder", "module"])
def test_the_same_call_with_an_object_returns_the_finished_run(tmp_path: Path, builder: bool):
    """The object is at hand, so the weights go into it."""

    def net(num_classes: int = 3) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(64, num_classes))

    settings = {"data": small_dataset(), "epochs": 1, "batch_size": 16, "out": tmp_path / "run"}
    first, again = (zoo.train(net if builder else net(), **settings) for _ in range(2))
    assert again.summary == first.summary
    assert torch.equal(again.model[1].weight, first.model[1].weight)
