"""Tuning pretrained weights: the defaults where there are such, none elsewhere, and runs that go on to the bit."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch
from small_images import small_dataset
from stopping import Stopping
from storm import outcome
from torch import nn
from tunable_net import HEAD, tunable

import zoo
from zoo.data import EvaluationBatches, Expects
from zoo.errors import Interrupted, UsageError
from zoo.records import tree
from zoo.records.directory import RunDirectory
from zoo.records.epochs import results_from
from zoo.runs.loading import load_run
from zoo.training.probing import Probe

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
    [
        {},
        {"freeze": 2, "unfreeze_after": 1},
        {"tune": "head", "unfreeze_after": 2, "ema": 0.5},
        {"freeze": "stem.*", "balance": 0.5},
    ],
    ids=["defaults", "freeze", "head", "pattern"],
)
def test_a_tuned_run_goes_on_with_the_same_bits(settings):
    """Also where it was stopped before, at or after the step at which layers begin to learn."""
    train(out="whole", **settings)
    for step in (3, 7, 8, 14):
        with pytest.raises(Interrupted):
            train(out=f"run-{step}", reporter=Stopping(signal.SIGTERM, step=step), **settings)
        train(out=f"run-{step}", **settings)
        assert outcome(Path(f"run-{step}")) == outcome(Path("whole")), step


def test_the_probe_is_row_0_and_validation_never_ends_below_it():
    """It is evaluated, stands in metrics.csv before any epoch, and is the best where no epoch is better."""
    run = train(lr=1e-9, epochs=2, refit="off")
    assert [result.epoch for result in run.metrics] == [0, 1, 2]
    assert (run.metrics[0].step, run.metrics[0].lr, run.summary["epochs"]) == (0, 0.0, 2)
    assert (run.summary["best_epoch"], run.summary["val_accuracy"]) == (0, run.metrics[0].val_accuracy)
    ruined = train(lr=3.0, epochs=2, optimizer="sgd", scheduler="constant", clip_norm=1.0)
    assert ruined.summary["val_accuracy"] >= ruined.metrics[0].val_accuracy


@pytest.mark.parametrize("settings", [{"tune": "probe"}, {"lr": 1e-9, "epochs": 1, "refit": "off"}], ids=str)
def test_a_fitted_head_is_saved_also_where_batches_may_be_cut(settings):
    """Though the state before it, at the same step, is saved as well, to begin with again."""
    run = train(accumulate="auto", out="run", **settings)
    assert run.summary["best_epoch"] == 0
    saved = RunDirectory(run.directory).checkpoint("best")
    assert [result.epoch for result in results_from(saved.state)] == [0]
    assert not any(torch.equal(saved.tensors("model")[name], begun()[name]) for name in HEAD)
    if settings.get("tune") == "probe":
        assert (run.directory / "metrics.csv").exists()
        assert all(torch.equal(saved.tensors("model")[name], value) for name, value in run.model.state_dict().items())


def test_tune_probe_takes_no_step():
    """The head is fitted, everything else is what it was, and a run may still end, be evaluated and be loaded."""
    run = train(tune="probe", out="run")
    assert (run.summary["status"], run.summary["epochs"], run.summary["steps"], run.summary["best_epoch"]) == (
        "finished",
        0,
        0,
        0,
    )
    assert not moved(run)
    assert train(tune="probe", out="run").summary == run.summary
    assert [path.name for path in (run.directory / "checkpoints").iterdir()] == ["step-00000000"]


def over_patches(
    num_classes: int, in_channels: int, image_size: tuple[int, int], pretrained: bool = False
) -> nn.Module:
    """Build a network whose head is given a row of vectors for each image, and averages what it says of them."""
    del in_channels, image_size, pretrained
    return nn.Sequential(nn.Unflatten(2, (4, 2)), nn.Flatten(3), nn.Flatten(1, 2), nn.Linear(16, num_classes), Mean())


class Mean(nn.Module):
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs.mean(1)


def test_a_head_that_cannot_be_fitted_is_tuned_without_a_probe():
    """By default; where a probe is asked for by name, that is refused before anything is written."""
    run = train(model=over_patches, epochs=1)
    assert ([result.epoch for result in run.metrics], run.config.train.tune) == ([1], "full")
    with pytest.raises(UsageError, match=r"--tune probe fits a linear head .* which '3' \(Linear\) is not"):
        train(model=over_patches, tune="probe", out="run")
    assert not Path("run").exists()


@pytest.mark.parametrize("settings", [{}, {"ema": 0.5}], ids=["plain", "averaged"])
def test_the_head_is_fitted_anew_to_what_the_tuned_rest_sees(settings):
    """The rest is what it is without that, and the head what a probe of it says; of averaged weights theirs."""
    run, plain = (train(refit=refit, validation=0, lr=1e-3, **settings) for refit in ("auto", "off"))
    assert (run.config.train.refit, plain.config.train.refit) == ("on", "off")
    tuned = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
    assert moved(plain)
    assert {name for name, value in plain.model.state_dict().items() if not torch.equal(value, tuned[name])} == set(
        HEAD
    )
    network = load_run(run.directory, objects={"model": tunable}).network
    batches = EvaluationBatches(small_dataset().train, 500, network.prepare)
    with torch.no_grad():
        run.model.head.weight.zero_()
    Probe(network.around(run.model), run.model.head, [], batches, mirrored=True).fit(batches)
    assert torch.equal(run.model.head.weight, tuned["head.weight"])


def test_a_head_that_is_fitted_anew_is_the_best_where_it_is_as_good(monkeypatch):
    """Few validation images often say the same of two heads, and this one knows more; above some images it is left."""
    assert train(lr=1e-9, epochs=2).summary["best_epoch"] == 2
    monkeypatch.setattr("zoo.runs.tuning.SMALL", 10)
    run = train(lr=1e-9, epochs=2)
    assert (run.summary["best_epoch"], run.config.train.refit) == (0, "off")
    assert train(lr=1e-9, epochs=2, refit="on").summary["best_epoch"] == 2


@pytest.mark.parametrize(
    ("settings", "chosen"),
    [
        ({}, 16),
        ({"batch_size": 128}, 128),
        ({"batch_size": "auto"}, 16),
        ({"tune": "head"}, 128),
        ({"tune": "probe"}, 128),
        ({"pretrained": False}, 128),
    ],
    ids=["small", "said", "auto", "head", "probe", "new weights"],
)
def test_a_small_set_is_tuned_in_small_batches(settings, chosen):
    """Unless somebody says how large; recorded, so that the same command finds its run again."""
    settings = {"batch_size": None, "epochs": 1, **settings}
    run = train(out="run", **settings)
    assert run.config.train.batch_size == chosen
    assert train(out="run", **settings).summary == run.summary


def test_a_large_set_is_tuned_in_batches_as_any_other(monkeypatch):
    """There are steps enough."""
    monkeypatch.setattr("zoo.runs.tuning.SMALL", 10)
    assert train(batch_size=None, epochs=1).config.train.batch_size == 128


def test_a_last_step_that_ruins_the_weights_is_named_where_the_head_is_fitted_anew():
    """The head is not fitted to what is no number; nor to what weights see that were ruined before the first step."""
    settings = {"batch_size": 100, "epochs": 1, "optimizer": "sgd", "scheduler": "constant", "layer_decay": 1.0}
    with pytest.raises(zoo.ZooError, match=r"the train loss became nan after step 1 \(epoch 1\), where lr was 1e\+38"):
        train(**settings, lr=1e38)
    with pytest.raises(zoo.ZooError, match=r"the train loss became nan after step 0 \(epoch 0\)"):
        train(model=ruined)


def ruined(num_classes: int, in_channels: int, image_size: tuple[int, int], pretrained: bool = False) -> nn.Module:
    net = tunable(num_classes, in_channels, image_size, pretrained)
    with torch.no_grad():
        net.wide.weight.fill_(torch.nan)
    return net


def test_nothing_is_fitted_anew_where_nothing_was_fitted():
    """By default; asked for, it is refused before anything is written."""
    for settings in ({"tune": "probe"}, {"tune": "head"}, {"pretrained": False}, {"model": over_patches, "epochs": 1}):
        assert train(**settings).config.train.refit == "off"
        with pytest.raises(UsageError, match="--refit on fits anew what --tune full began with"):
            train(**settings, refit="on", out="run")
    assert not Path("run").exists()


def test_layers_of_a_small_set_that_would_hardly_learn_stand_still():
    """Those whose rate falls below a fifth; recorded as a number, so that the same command finds its run again."""
    falling = {"layer_decay": 0.5, "validation": 0}
    run = train(out="run", **falling)
    assert run.config.train.freeze == 1
    assert not any(name.startswith("stem.") for name in moved(run))
    assert {"block.0.weight", "wide.weight"} <= moved(run)
    for again in ({}, {"freeze": "auto"}, {"freeze": 1}):
        assert train(out="run", **falling, **again).summary == run.summary
    with pytest.raises(UsageError, match=r"train\.freeze is 1 there and 0 here"):
        train(out="run", **falling, freeze=0)
    assert "stem.0.weight" in moved(train(**falling, freeze=0))


def test_layers_that_stand_still_by_themselves_can_learn_after_some_epochs():
    """As those that were named; where none stands still, there is nothing to let learn."""
    falling = {"layer_decay": 0.5, "validation": 0}
    run = train(**falling, unfreeze_after=1)
    assert (run.config.train.freeze, run.config.train.unfreeze_after) == (1, 1)
    assert "stem.0.weight" in moved(run)
    for none in ({"layer_decay": 1.0}, {"freeze": 0}, {"batch_norm": "train"}, {"tune": "off"}):
        with pytest.raises(UsageError, match=r"--unfreeze-after .*: nothing is frozen here"):
            train(**{**falling, **none}, unfreeze_after=1)


@pytest.mark.parametrize(
    "settings",
    [
        {"layer_decay": 1.0},
        {"layer_decay": 0.59},
        {"layer_decay": None},
        {"batch_norm": "train"},
        {"tune": "head"},
        {"tune": "probe"},
        {"tune": "off"},
        {"pretrained": False},
    ],
    ids=str,
)
def test_nothing_stands_still_by_itself_where_all_learn_or_nothing_does(settings):
    """Nor where it is no smaller than a fifth, nor where batch norms are to count on in every layer."""
    assert train(**{"layer_decay": 0.5, "epochs": 1, **settings}).config.train.freeze == 0


def test_nothing_stands_still_by_itself_in_a_large_set(monkeypatch):
    """Many small steps go far."""
    monkeypatch.setattr("zoo.runs.tuning.SMALL", 10)
    assert train(layer_decay=0.5, epochs=1).config.train.freeze == 0


def test_a_run_of_the_last_schema_goes_on_as_it_began():
    """What its configuration does not say is what was done then: all layers learn."""
    settings = {"layer_decay": 0.5, "freeze": 0, "epochs": 2}
    train(out="whole", **settings)
    with pytest.raises(Interrupted):
        train(out="run", reporter=Stopping(signal.SIGTERM, step=3), **settings)
    config = Path("run/config.toml")
    lines = config.read_text().replace("schema = 4", "schema = 3").splitlines(keepends=True)
    config.write_text("".join(line for line in lines if not line.startswith("freeze")))
    train(out="run", layer_decay=0.5, epochs=2)
    assert outcome(Path("run")) == outcome(Path("whole"))


@pytest.mark.parametrize("after", [True, False], ids=["fitted", "not yet"])
def test_a_run_that_is_stopped_while_its_head_is_fitted_anew_goes_on_to_the_same_bits(monkeypatch, after):
    """Before it, and when it is done, before it is validated."""
    train(out="whole")
    fit, calls = Probe.fit, []

    def stopping(probe, batches, world):
        calls.append(probe)
        if len(calls) == 2 and not after:
            os.kill(os.getpid(), signal.SIGTERM)
        found = fit(probe, batches, world)
        if len(calls) == 2 and after:
            os.kill(os.getpid(), signal.SIGTERM)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(Probe, "fit", stopping)
        with pytest.raises(Interrupted):
            train(out="run")
    train(out="run")
    assert outcome(Path("run")) == outcome(Path("whole"))


def test_an_average_begins_at_the_probe():
    """What is evaluated as row 0 is the probe, not the random head that the average was copied with."""
    averaged, plain = train(tune="probe", ema=0.9), train(tune="probe")
    assert averaged.metrics[0].val_loss == plain.metrics[0].val_loss
    assert averaged.test_accuracy == plain.test_accuracy


def test_without_validation_the_probe_is_row_0_and_the_last_epoch_counts():
    """There is no promise without images to hold it to."""
    run = train(validation=0)
    assert (run.metrics[0].val_accuracy, run.summary["best_epoch"]) == (None, 3)


def test_a_run_that_is_stopped_at_its_probe_goes_on_to_the_same_bits():
    """Before it, in its evaluation, or right after: the probe survives, or is made again."""
    train(out="whole")
    with pytest.raises(Interrupted):
        train(out="run", reporter=Stopping(signal.SIGTERM, epoch=0))
    assert (Path("run") / "checkpoints" / "step-00000000").is_dir()
    train(out="run")
    assert outcome(Path("run")) == outcome(Path("whole"))


def test_tuning_has_a_gentle_rate_of_its_own_unless_one_is_given():
    """A tenth of the optimizer's, or a thirtieth; the same command finds its run again, and another rate does not."""
    run = train(out="run")
    assert run.config.optimizer.options["lr"] == pytest.approx(0.003 / 10)
    assert train(refit="off").config.optimizer.options["lr"] == pytest.approx(0.003 / 30)
    assert train(out="run").summary == run.summary
    with pytest.raises(UsageError, match=r"optimizer\.lr is .* there and 0\.003 here"):
        train(out="run", lr=0.003)
    assert train(tune="head").config.optimizer.options["lr"] == 0.003


def whole(num_classes: int, in_channels: int, image_size: tuple[int, int], pretrained: bool = False) -> nn.Module:
    """Build a network whose head knows the classes already."""
    net = tunable(num_classes, in_channels, image_size, pretrained)
    net.expects = Expects(size=image_size, mean=(0.5,), std=(0.5,), head="kept")
    return net


@pytest.mark.parametrize(
    "settings",
    [{"model": over_patches}, {"model": whole}, {"patience": 2}],
    ids=["no probe", "kept head", "patience"],
)
def test_the_rate_of_small_sets_is_for_those_whose_head_is_fitted_anew(settings):
    """Others are tuned at a thirtieth; where the last epoch is not known, the head is not fitted anew after it."""
    run = train(**settings, epochs=1)
    assert (run.config.train.tune, run.config.train.refit) == ("full", "off")
    assert run.config.optimizer.options["lr"] == pytest.approx(0.003 / 30)


def test_a_large_set_is_tuned_at_a_thirtieth_also_where_its_head_is_fitted_anew(monkeypatch):
    """Its steps are many."""
    monkeypatch.setattr("zoo.runs.tuning.SMALL", 10)
    run = train(refit="on", epochs=1)
    assert run.config.train.refit == "on"
    assert run.config.optimizer.options["lr"] == pytest.approx(0.003 / 30)


def test_settings_that_mean_nothing_together_are_refused():
    """Before anything is written."""
    for settings, message in (
        ({"unfreeze_after": 1}, "--unfreeze-after needs --freeze or --tune head: nothing is frozen here"),
        ({"freeze": "blok*"}, r"--freeze blok\* matches none"),
        ({"refit": "on", "patience": 2}, "--refit on is for the last epoch, which --patience may leave out"),
        ({"optimizer": torch.optim.LBFGS, "layer_decay": 2.0}, "train.layer_decay must be a number above 0, at most 1"),
    ):
        with pytest.raises(UsageError, match=message):
            train(out="run", **settings)
    assert not Path("run").exists()
