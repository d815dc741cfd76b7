"""A run that ends with its probe: the head that is used saw the validation images, what is told of them did not."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
import torch
from small_images import small_dataset
from storm import outcome
from tunable_net import HEAD, tunable

import zoo
from zoo.data import Dataset, EvaluationBatches
from zoo.errors import Interrupted, UsageError, ZooError
from zoo.records.directory import RunDirectory
from zoo.records.weight_file import write_weight_file
from zoo.reports.evaluations import read_evaluation
from zoo.runs import session
from zoo.runs.loading import load_run
from zoo.runs.sources import LoadedSource, open_source
from zoo.sharing.record import record_of
from zoo.training.probing import Probe

SMALL = {"epochs": 2, "batch_size": 8, "threads": 1}


@pytest.fixture(autouse=True)
def _in_a_folder_where_no_epoch_is_better_than_the_probe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("zoo.training.fit.is_better", lambda _, best, *__, **___: best is None)


def train(**settings) -> zoo.Run:
    given = {"model": tunable, "data": small_dataset(), "options": {"model.pretrained": True}, **SMALL}
    return zoo.train(**{**given, **settings})


def checkpoint_of(run: zoo.Run):
    return RunDirectory(run.directory).checkpoint("best")


@pytest.mark.parametrize("settings", [{}, {"ema": 0.5}], ids=["plain", "averaged"])
def test_the_head_that_is_used_was_fitted_to_all_images(settings):
    """To training and validation images as to one set; all below it is what the run began with."""
    run = train(out="run", **settings)
    assert (run.summary["best_epoch"], run.summary["refitted"]) == (0, 60)
    assert run.summary["train"] + run.summary["validation"] == 60
    loaded = load_run("run", objects={"model": tunable})
    used, fitted = loaded.network.model, tunable(3, 1, (8, 8), pretrained=True)
    batches = EvaluationBatches(small_dataset().train, 500, loaded.network.prepare)
    Probe(loaded.network.around(fitted), fitted.head, [], batches, mirrored=True).fit(batches)
    for name, tensor in used.state_dict().items():
        torch.testing.assert_close(tensor, fitted.state_dict()[name])
        assert torch.equal(tensor, run.model.state_dict()[name])


def test_what_is_told_of_validation_images_is_what_was_said_without_them():
    """In the run's record and when it is measured again, with the weights that the checkpoint keeps for that."""
    run = train(out="run")
    kept = read_evaluation(run.directory, "validation-best")
    assert kept.document["metrics"]["loss"] == run.summary["val_loss"] == run.metrics[0].val_loss
    checkpoint = checkpoint_of(run)
    assert kept.document["checkpoint_digest"] == checkpoint.manifest.digest
    assert (checkpoint.validated_part, checkpoint.weights_part) == ("model", "whole")
    loaded = load_run("run", objects={"model": tunable})
    used = {name: tensor.clone() for name, tensor in loaded.network.model.state_dict().items()}
    validated = loaded.as_validated().network.model.state_dict()
    assert {name for name in used if not torch.equal(used[name], validated[name])} == set(HEAD)
    assert all(torch.equal(validated[name], tensor) for name, tensor in checkpoint.tensors("model").items())


def test_another_run_begins_with_the_weights_that_were_validated():
    """As it may hold out the same images, whose labels the head in use knows."""
    train(out="run")
    saved = RunDirectory("run").checkpoint("best")
    begun = train(options={"model.pretrained": "run"}, tune="off", out="begun")
    state = RunDirectory(begun.directory).checkpoint("best").state
    assert state["expects"]["sha256"] == saved.manifest.files["model.safetensors"].sha256


def test_test_images_are_measured_with_the_head_that_is_used():
    """What the summary says of them is what the weights in use say."""
    run = train(out="run")
    test, network = small_dataset().test, load_run("run", objects={"model": tunable}).network
    with torch.no_grad():
        said = network.model.eval()(network.prepare(test.images)).argmax(1)
    assert run.summary["test_accuracy"] == float((said == test.labels).double().mean())


@pytest.mark.parametrize(
    "settings",
    [
        {"refit": "off"},
        {"fold": "1/3"},
        {"validation": 0},
        {"tune": "probe"},
        {"data": "own"},
    ],
    ids=["off", "fold", "none", "probe", "own"],
)
def test_images_that_are_not_zoo_s_to_learn_from_are_not(settings):
    """A fold's predictions are pooled, a dataset's own validation images are its own."""
    if settings.get("data") == "own":
        data = small_dataset()
        own = Dataset(data.train, data.test, data.classes, data.mean, data.std, validation=small_dataset(30).test)
        settings = {"data": own}
    run = train(**settings)
    assert run.summary["refitted"] is None
    assert checkpoint_of(run).weights_part == "model"


@pytest.mark.parametrize(("limit", "images", "looks"), [(59, None, 0), (60, 60, 1), (119, 60, 1), (120, 60, 2)])
def test_all_images_are_those_that_a_probe_may_look_at(monkeypatch, limit, images, looks):
    """Where training and validation images are more together, it is left; mirrored ones count where they are shown."""
    for module in ("tuning", "refitting"):
        monkeypatch.setattr(f"zoo.runs.{module}.PROBED_IMAGES", limit)
    solve, shown = Probe.solve, []
    monkeypatch.setattr(
        Probe, "solve", lambda probe, features, *given: shown.append(features.shape) or solve(probe, features, *given)
    )
    assert train().summary["refitted"] == images
    assert [shape[1] for shape in shown if shape[0] == 60] == [looks] * bool(images)


@pytest.mark.parametrize("saved", [False, True], ids=["before it is saved", "after"])
def test_a_run_that_is_killed_meanwhile_ends_with_the_same_bits(monkeypatch, saved):
    """The fit is repeated; nothing in it is random."""
    train(out="whole")
    add = session.add_whole

    def killed(*arguments):
        if saved:
            add(*arguments)
        os.kill(os.getpid(), signal.SIGTERM)
        if not saved:
            raise OSError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr(session, "add_whole", killed)
        with pytest.raises((Interrupted, ZooError)):
            train(out="run")
    assert json.loads(Path("run/summary.json").read_text())["status"] != "finished"
    run = train(out="run")
    assert outcome(Path("run")) == outcome(Path("whole"))
    assert run.summary["refitted"] == 60
    assert len(list(Path("run/checkpoints").glob("step-00000000*"))) == 1


def test_another_run_begins_with_the_head_that_is_used():
    """So do exports and what is published: all take the part that counts."""
    run = train(out="run")
    source = open_source("run")
    assert all(torch.equal(source.weights[name], tensor) for name, tensor in run.model.state_dict().items())


def published(run: zoo.Run, path: Path, **record) -> Path:
    """Write a run's weights as they are published, with what is told of them but for the keys that are None."""
    loaded = load_run(run.directory, objects={"model": tunable})
    told = {key: value for key, value in {**record_of(loaded, None), **record}.items() if value is not None}
    write_weight_file(path, loaded.network.model.state_dict(), told)
    return path


def test_a_checkpoint_by_itself_says_of_validation_images_what_its_run_does():
    """It keeps the head that had not seen them."""
    train(out="run")
    checkpoint = open_source(next(Path("run/checkpoints").glob("step-00000000*"))).checkpoint
    loaded = load_run("run", objects={"model": tunable})
    LoadedSource(open_source(checkpoint.path), loaded.machine, loaded.network).as_validated()
    validated = checkpoint.tensors("model")
    assert all(torch.equal(validated[name], tensor) for name, tensor in loaded.network.model.state_dict().items())


@pytest.mark.parametrize("told", [True, None], ids=["told", "by an older zoo"])
def test_what_was_published_with_a_head_that_has_learnt_them_says_nothing_of_validation_images(told):
    """It has no other head; the message names what has."""
    source = open_source(published(train(out="run"), Path("model.safetensors"), whole=told))
    with pytest.raises(UsageError, match=r"'zoo evaluate RUN --split validation' measures the run .* use --split test"):
        LoadedSource(source, None, None).as_validated()  # type: ignore[arg-type]


@pytest.mark.parametrize("settings", [{"fold": "1/3"}, {"validation": 0}, {"refit": "off"}], ids=str)
def test_what_was_published_with_the_head_that_was_validated_may_be_asked(settings):
    """Though its best epoch is the probe."""
    source = open_source(published(train(out="run", **settings), Path("model.safetensors")))
    assert (source.epoch, source.whole) == (0, False)
    loaded = LoadedSource(source, None, None)  # type: ignore[arg-type]
    assert loaded.as_validated() is loaded
