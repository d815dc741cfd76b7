"""A trained model is asked and measured alike, wherever it is: a run, a checkpoint, what was published of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.cli import main

FOLDER = Path("published")
SOURCES = [FOLDER, FOLDER / "model.safetensors", Path("checkpoint")]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a calibrated run, one of its checkpoints, and what was published of it; tests only read it."""
    folder = tmp_path_factory.mktemp("sources")
    zoo.train("linear", steps=2, batch_size=32, threads=1, options={"data.limit": 64}, out=folder / "run")
    zoo.calibrate(folder / "run")
    zoo.publish(folder / "run", folder / "published")
    (newest,) = (folder / "run" / "checkpoints").iterdir()
    shutil.copytree(newest, folder / "checkpoint")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)).save(folder / "digit.png")
    return folder


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Run a command with --json, and return what it prints."""

    def run(*words: str | Path) -> Any:
        assert main([*map(str, words), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return run


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_every_source_is_asked_as_its_run_is(place: Path, source: Path, told: Callable[..., Any]):
    """By the command and from Python; a checkpoint that was copied away has no temperature, and the same label."""
    (expected,) = zoo.predict(place / "run", [place / "digit.png"])
    (found,) = zoo.predict(place / source, [place / "digit.png"])
    (printed,) = told("predict", place / source, place / "digit.png")["predictions"]
    assert found.label == printed["label"] == expected.label
    assert (found.probabilities == expected.probabilities) is (source != Path("checkpoint"))


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_every_source_is_measured_as_its_run_is(place: Path, source: Path, told: Callable[..., Any]):
    """On its own images, to the bit; nothing is kept where there is no run."""
    expected = zoo.evaluate(place / "run")
    found = told("evaluate", place / source)
    assert found["kept"] is None
    assert found["run"] == str(place / source)
    for key in ("accuracy", "loss", "nll", "samples", "model", "data", "epoch", "step", "images"):
        assert found[key] == expected[key], key


def test_a_published_model_is_measured_on_other_images(place: Path, tmp_path: Path):
    """As a run is."""
    for label in "37":
        (tmp_path / label).mkdir()
        for name in ("a.png", "b.png"):
            shutil.copyfile(place / "digit.png", tmp_path / label / name)
    options = {"data.root": str(tmp_path)}
    expected = zoo.evaluate(place / "run", data="folder", options=options)
    found = zoo.evaluate(place / "published", data="folder", options=options)
    assert (found["accuracy"], found["samples"], found["kept"]) == (expected["accuracy"], 4, None)


def test_it_is_not_measured_on_images_that_it_was_not_trained_on(place: Path, tmp_path: Path):
    """What was published tells what its data are known by."""
    copied = shutil.copytree(place / "run", tmp_path / "run")
    data = json.loads((copied / "data.json").read_text())
    data["splits"]["test"]["images_sha256"] = "0" * 64
    (copied / "data.json").write_text(json.dumps(data))
    zoo.publish(copied, tmp_path / "published")
    with pytest.raises(zoo.UsageError, match=r"is not what .*published was trained on: test images: other pixels"):
        zoo.evaluate(tmp_path / "published")
    assert zoo.evaluate(tmp_path / "published", split="train")["samples"] == 64


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_what_has_one_set_of_weights_has_no_last_ones(place: Path, source: Path, capsys: pytest.CaptureFixture[str]):
    """A run alone has several checkpoints."""
    assert main(["evaluate", str(place / source), "--checkpoint", "last"]) == 2
    assert "holds one set of weights: --checkpoint is for a run" in capsys.readouterr().err


def test_what_is_not_there_is_told_before_anything_is_imported(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A path that leads nowhere, and a folder that is no model."""
    for command in (["predict", str(tmp_path / "none"), "a.png"], ["evaluate", str(tmp_path / "none")]):
        assert main(command) == 2
        assert "there is no run" in capsys.readouterr().err
    assert main(["evaluate", str(tmp_path)]) == 2
    assert "is no trained model: neither a run nor a checkpoint nor a published folder" in capsys.readouterr().err
