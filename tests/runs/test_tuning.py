"""Tuning pretrained weights: the defaults where there are such, none elsewhere, and runs that go on to the bit."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import torch
from small_images import small_dataset
from stopping import Stopping
from storm import outcome
from tunable_net import HEAD, tunable

import zoo
from zoo.errors import Interrupted, UsageError
from zoo.records import tree
from zoo.records.directory import RunDirectory

SMALL = {"epochs": 3, "batch_size": 8, "threads": 1}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def train(pretrained: bool = True, reporter=None, options=None, **settings) -> zoo.Run:
    options = {"model.pretrained": pretrained, **(options or {})}
    given = {"model": tunable, "data": small_dataset(), "options": options, **SMALL, **settings}
    return zoo.train(reporter=reporter, **given)


def begun() -> dict[str, torch.Tensor]:
    return tunable(3, 1, (8, 8), pretrained=True).state_dict()


def moved(run: zoo.Run) -> set[str]:
    """Return the names of the parts below the head that are not what the run began with."""
    before = begun()
    return {name for name, value in run.model.state_dict().items() if not torch.equal(value, before[name])} - set(HEAD)


def test_pretrained_weights_are_tuned_by_default_and_others_are_not():
    """The defaults are decided once and recorded; the same command again finds its run finished."""
    tuned, plain = train(out="tuned").config.train, train(False, out="plain").config.train
    assert (tuned.tune, tuned.layer_decay, tuned.head_lr, tuned.batch_norm) == ("full", 0.75, 1.0, "frozen")
    assert (plain.tune, plain.layer_decay, plain.head_lr, plain.batch_norm) == ("off", 1.0, 1.0, "train")
    assert train(out="tuned").config.train == tuned


def test_off_is_training_as_without_pretrained_weights():
    """The parts can still be asked for one by one."""
    settings = train(tune="off", layer_decay=0.5).config.train
    assert (settings.tune, settings.layer_decay, settings.batch_norm) == ("off", 0.5, "train")


def test_frozen_batch_norms_stay_what_they_were():
    """Everything else that is tuned moves."""
    assert {name for name in begun() if ".1." in name}.isdisjoint(moved(train(validation=0)))
    assert {"stem.1.running_mean", "block.1.weight"} <= moved(train(batch_norm="train", validation=0))


def test_the_head_alone_learns_with_tune_head():
    """Nothing below it moves, until it may."""
    assert not moved(train(tune="head", validation=0))
    assert "wide.weight" in moved(train(tune="head", unfreeze_after=1, validation=0))


def test_rates_fall_from_the_head_down_and_every_schedule_moves_them():
    """One cycle multiplies each group's own rate; the logged one is the highest."""
    run = train(lr=0.01, epochs=1, scheduler="constant", layer_decay=0.5, head_lr=2.0)
    assert run.metrics[-1].lr == pytest.approx(0.02)
    groups = _saved_groups(run)
    assert sorted({group["lr"] for group in groups}) == pytest.approx([0.00125, 0.0025, 0.005, 0.02])
    cycled = _saved_groups(train(lr=0.01, layer_decay=0.5))
    assert len({group["lr"] / group["initial_lr"] for group in cycled}) == 1


def _saved_groups(run: zoo.Run) -> list[dict]:
    checkpoint = RunDirectory(run.directory).checkpoint("last")
    saved = checkpoint.state["optimizer"]["optimizer"]
    return tree.decode(saved, checkpoint.tensors("optimizer"))["param_groups"]


@pytest.mark.parametrize(
    "settings",
    [{}, {"freeze": 2, "unfreeze_after": 1}, {"tune": "head", "unfreeze_after": 2, "ema": 0.5}, {"freeze": "stem.*"}],
    ids=["defaults", "freeze", "head", "pattern"],
)
@pytest.mark.parametrize("step", [3, 7, 8, 14])
def test_a_tuned_run_goes_on_with_the_same_bits(settings, step):
    """Also where it was stopped before, at or after the step at which layers begin to learn."""
    train(out="whole", **settings)
    with pytest.raises(Interrupted):
        train(out="run", reporter=Stopping(signal.SIGTERM, step=step), **settings)
    train(out="run", **settings)
    assert outcome(Path("run")) == outcome(Path("whole"))


def test_settings_that_mean_nothing_together_are_refused():
    """Before anything is written."""
    for settings, message in (
        ({"unfreeze_after": 1}, "--unfreeze-after needs --freeze or --tune head"),
        ({"freeze": "blok*"}, r"--freeze blok\* matches none"),
        ({"optimizer": torch.optim.LBFGS, "layer_decay": 2.0}, "train.layer_decay must be a number above 0, at most 1"),
    ):
        with pytest.raises(UsageError, match=message):
            train(out="run", **settings)
    assert not Path("run").exists()
