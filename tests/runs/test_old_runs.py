"""Runs of an older zoo: they predict, measure and go on as they did then.

``fixtures/schema-1`` is a run that the last zoo with schema 1 made, with what that zoo said of it.
"""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
import torch

import zoo
from zoo.runs.environment import environment

OLD = Path(__file__).parents[1] / "fixtures" / "schema-1"
EXPECTED = json.loads((OLD / "expected.json").read_text())


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A copy of the old run, which may be changed."""
    return Path(shutil.copytree(OLD / "run", tmp_path / "run"))


def close(value: float) -> object:
    """Return what equals *value*: to the bit where the same kind of machine computes, else within rounding."""
    then, now = (
        json.loads((OLD / "run" / "environment.json").read_text()),
        environment(torch.device("cpu"), 1, {}, None),
    )
    same = all(then[key] == now[key] for key in ("torch", "cpu_capability", "processor"))
    return pytest.approx(value, rel=0 if same else 1e-4, abs=0)


def test_an_old_run_predicts_what_it_did(old: Path):
    """Every class, in the old order, with the old probabilities."""
    (found,) = zoo.predict(old, [OLD / "seven.png"], top_k=10)
    assert list(found.labels) == EXPECTED["labels"]
    assert list(found.probabilities) == [close(value) for value in EXPECTED["probabilities"]]


def test_an_old_run_measures_what_it_did(old: Path):
    """The test set's loss and accuracy."""
    found = zoo.evaluate(old)
    assert (found["loss"], found["accuracy"]) == (close(EXPECTED["test_loss"]), close(EXPECTED["test_accuracy"]))


def test_an_old_run_goes_on_as_it_would_have(old: Path):
    """Its second epoch, trained by this zoo from the first one's checkpoint, has the old numbers."""
    shutil.rmtree(old / "checkpoints" / "step-00000032")
    summary = json.loads((old / "summary.json").read_text())
    (old / "summary.json").write_text(json.dumps({**summary, "status": "interrupted"}))
    run = zoo.train(resume=old)
    (_, then), (_, now) = (
        list(csv.DictReader((path / "metrics.csv").read_text().splitlines())) for path in (OLD / "run", old)
    )
    for key in ("step", "loss", "val_loss", "val_accuracy", "lr"):
        assert float(now[key]) == close(float(then[key])), key
    assert run.summary["test_accuracy"] == close(summary["test_accuracy"])
    assert run.config.train.select == "accuracy"


def test_an_old_run_s_file_repeats_it(old: Path, tmp_path: Path):
    """`--config` with an old run's config.toml is that very run."""
    run = zoo.train(config=old / "config.toml", out=tmp_path / "again")
    assert run.summary["test_loss"] == close(EXPECTED["test_loss"])
