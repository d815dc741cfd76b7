"""How a run begins: where, with what, and what is never removed for it."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from small_images import small_dataset, small_split
from torch import nn

import zoo
from zoo.errors import Interrupted
from zoo.records.checkpoints import CheckpointStore
from zoo.runs import session, training
from zoo.runs.api import _layers
from zoo.runs.configuring import configured
from zoo.runs.reporting import Reporter


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def small_net() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3))


def train(model=small_net, **settings) -> zoo.Run:
    return zoo.train(model, **{"data": small_dataset(), "epochs": 1, "batch_size": 8, "threads": 1, **settings})


def test_two_runs_of_one_second_get_a_directory_each(monkeypatch):
    """Two commands that start together choose one name; the second takes the next when it makes it."""
    monkeypatch.setattr(training, "new_path", lambda *_: Path("runs/now-net"))
    assert [train().directory.name for _ in range(3)] == ["now-net", "now-net-2", "now-net-3"]


def test_a_run_that_another_process_made_meanwhile_is_not_removed():
    """Both found the directory free; the slower one must not clear away what the faster one trained."""

    def slow_net():
        train(out="run")
        return small_net()

    with pytest.raises(zoo.ZooError, match="another process made a run in run meanwhile"):
        train(slow_net, out="run")
    assert list(Path("run/checkpoints").iterdir())
    assert train(out="run").summary["status"] == "finished"


def test_restart_removes_runs_alone():
    """A project of somebody else's may have a config.toml and checkpoints, too."""
    Path("project/checkpoints").mkdir(parents=True)
    Path("project/config.toml").write_text("[project]\nname = 'mine'\n")
    with pytest.raises(zoo.UsageError, match="--restart removes runs alone, and project is none"):
        train(out="project", restart=True)
    assert sorted(path.name for path in Path("project").iterdir()) == ["checkpoints", "config.toml"]


def test_restart_leaves_no_old_checkpoint_behind():
    """Checkpoints may lie on another disk, behind a link: the link goes, and what it led to is not touched."""
    train(out="run", epochs=2)
    Path("run/checkpoints").rename("elsewhere")
    Path("run/checkpoints").symlink_to(Path("elsewhere").absolute())
    kept = sorted(Path("elsewhere").iterdir())
    run = train(out="run", restart=True)
    assert [path.name for path in Path("run/checkpoints").iterdir()] == [f"step-{run.summary['steps']:08}"]
    assert sorted(Path("elsewhere").iterdir()) == kept


def test_a_signal_while_the_model_is_tried_is_no_fault_of_the_model():
    """Before training begins, too, the exit code is 128 more than the signal."""

    class Killed(nn.Linear):
        def forward(self, inputs):
            os.kill(os.getpid(), signal.SIGTERM)
            return super().forward(inputs.flatten(1))

    with pytest.raises(Interrupted, match="before training began") as caught:
        train(lambda: Killed(64, 3), out="run")
    assert caught.value.exit_code == 143


def test_a_scheduler_that_cannot_be_saved_is_refused_before_training():
    """Not when the first epoch is over."""

    class Unkept(torch.optim.lr_scheduler.LRScheduler):
        def get_lr(self):
            return self.base_lrs

        def state_dict(self):
            return {"unkept": object()}

    with pytest.raises(zoo.UsageError, match="scheduler/unkept is a object, which cannot be kept"):
        train(scheduler=Unkept, out="run")
    assert not Path("run").exists()


def test_a_save_that_failed_is_tried_again_at_the_next_interval(monkeypatch):
    """A full disk is not written to at every step from then on."""
    tried, now = [], [0.0]

    class Waiting(Reporter):
        def step(self, progress):
            now[0] += 61 if progress.step == 2 else 0

    def full(self, step, **_):
        tried.append(step)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(CheckpointStore, "save", full)
    monkeypatch.setattr(session, "time", SimpleNamespace(monotonic=lambda: now[0]))
    with pytest.raises(zoo.ZooError, match="the run's last state could not be saved"):
        train(checkpoint_every="1min", reporter=Waiting())
    assert tried == [2, 7, 7]


def test_a_name_comes_before_its_options_whatever_the_order():
    """Another name drops the options of the one before, but not those that were given with it."""
    Path("adamw.toml").write_text("[optimizer]\nname = 'adamw'\nlr = 0.1\nweight_decay = 0.2\n")
    layers, _ = _layers({"lr": 0.5, "optimizer": "sgd", "model": "linear"})
    assert dict(configured(layers, file="adamw.toml").optimizer.options) == {"lr": 0.5}


def test_an_argument_of_none_is_as_if_it_were_not_given():
    """Also where an object could stand."""
    assert _layers({"data": None, "epochs": None}) == ([], {})


def test_the_facts_of_a_dataset_are_read_where_its_images_are():
    """An index on another device than the images is an error on GPUs."""

    class Elsewhere:
        labels = torch.zeros(9, dtype=torch.int64, device="meta")

        def __len__(self):
            return 9

        def batch(self, indices):
            assert indices.device == self.labels.device
            return small_split(len(indices)).images, self.labels[: len(indices)]

    dataset = zoo.Dataset(Elsewhere(), Elsewhere(), ["a", "b", "c"], [0.5], [0.25])
    assert dataset.facts.image_size == (8, 8)


def test_a_damaged_summary_keeps_no_run_from_going_on():
    """What it says follows from the checkpoints, so it is written again."""
    run = train(out="run")
    for name in ("summary.json", "environment.json"):
        Path("run", name).write_text("{")
    again = train(out="run")
    assert {**again.summary, "seconds": 0} == {**run.summary, "seconds": 0}


def test_accumulated_mixed_batches_are_one_large_batch():
    """Class weights do not count for soft targets, so they must not count for the batches' shares either."""
    weights = [
        train(
            batch_size=size,
            accumulate=accumulate,
            steps=1,
            precision="fp32",
            augment="mixup",
            criterion="cross_entropy",
            optimizer="sgd",
            options={"criterion.weight": [1.0, 9.0, 1.0]},
            out=f"{size}",
        )
        .model[1]
        .weight
        for size, accumulate in ((16, 1), (8, 2), (4, 4))
    ]
    for other in weights[1:]:
        torch.testing.assert_close(other, weights[0])
