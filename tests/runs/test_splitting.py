"""The rule by which images are held out is the run's own, from its first day to its last."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image
from small_images import small_dataset

import zoo
from zoo.records.directory import RunDirectory

SETTINGS = {"model": "linear", "epochs": 1, "batch_size": 8, "threads": 1}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def photos(sizes: dict[str, int]) -> dict[str, str]:
    """Write images, each of its own shade, and return the options that name them."""
    for label, (name, count) in enumerate(sizes.items()):
        for index in range(count):
            path = Path("photos") / name / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (8, 8), 40 * label + index).save(path)
    return {"data.root": "photos"}


def begun_before_the_rule(run: zoo.Run) -> RunDirectory:
    """Return the run without the rule in its configuration, as schema 1 recorded it."""
    path = run.directory / "config.toml"
    path.write_text(re.sub(r"split_by = .*\n", "", path.read_text()).replace("schema = 4", "schema = 1"))
    return RunDirectory(run.directory)


def test_a_run_records_what_the_rule_came_to():
    """By name for files, by class for images without names, and what was asked for otherwise."""
    options = photos({"cat": 20, "dog": 20})
    by_name = zoo.train(data="folder", options=options, **SETTINGS)
    by_order = zoo.train(data="folder", options=options, split_by="order", **SETTINGS)
    by_class = zoo.train(data=small_dataset(), **SETTINGS)
    assert [run.config.train.split_by for run in (by_name, by_order, by_class)] == ["name", "order", "class"]


def test_a_run_from_before_the_rule_keeps_the_old_one():
    """Its test and validation images are measured again with the very numbers, and the same command goes on with it."""
    options = photos({"cat": 20, "dog": 20})
    run = zoo.train(data="folder", options=options, split_by="order", out="r", **SETTINGS)
    old = begun_before_the_rule(run)
    assert old.read_config().train.split_by == "order"
    assert zoo.evaluate("r", split="validation")["accuracy"] == run.metrics[-1].val_accuracy
    assert zoo.evaluate("r")["loss"] == run.summary["test_loss"]
    assert zoo.train(data="folder", options=options, out="r", **SETTINGS).test_accuracy == run.test_accuracy
    with pytest.raises(zoo.UsageError, match=r"train\.split_by is 'order' there and 'name' here"):
        zoo.train(data="folder", options=options, out="r", split_by="name", **SETTINGS)


def test_classes_of_one_image_are_all_learnt_and_it_is_told(caplog):
    """Nothing is held out; patience has nothing to wait for and refuses nothing."""
    run = zoo.train(data=small_dataset(6, classes=6), patience=3, **SETTINGS)
    assert "no validation images are held out" in caplog.text
    assert (run.summary["train"], run.summary["validation"]) == (6, 0)
