"""`zoo reproduce`: the same bits again, or what is different; other data stop it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import zoo
from zoo.cli import main
from zoo.records.weight_file import read_weight_file, write_weight_file
from zoo.sharing.reproducing import _same_bits


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, which tests only read."""
    path = tmp_path_factory.mktemp("runs") / "run"
    zoo.train("cnn_dropout", steps=4, batch_size=32, threads=1, options={"data.limit": 64}, out=path)
    return path


@pytest.fixture(scope="module")
def published(run: Path) -> Path:
    """The run, published; tests only read it."""
    zoo.publish(run, run.parent / "published")
    return run.parent / "published"


@pytest.mark.parametrize("source", ["run", "published", "published/model.safetensors"])
def test_what_is_reproduced_has_the_same_bits(run: Path, published: Path, tmp_path: Path, source: str):
    """From the run, from the folder, and from the one file, which does not tell the threads."""
    threads = 1 if source.endswith(".safetensors") else None
    found = zoo.reproduce(run.parent / source, out=tmp_path / "again", threads=threads)
    assert found["equal"]
    assert (found["different"], found["reasons"], found["p"]) == (0, [], 1.0)
    weights = load_file(published / "model.safetensors")
    again = torch.nn.Module.state_dict(zoo.load(tmp_path / "again").module)
    assert len(weights) == found["tensors"]
    assert all(torch.equal(weights[name], tensor) for name, tensor in again.items())
    assert json.loads((tmp_path / "again" / "environment.json").read_bytes())["threads"] == 1


def doctored(published: Path, folder: Path, **change: Any) -> Path:
    """Return a published file with other weights, or another record, that is whole."""
    file = read_weight_file(published / "model.safetensors")
    tensors = {name: tensor.clone() for name, tensor in file.tensors.items()}
    for name, add in change.pop("add", {}).items():
        tensors[name] += add
    write_weight_file(folder / "other.safetensors", tensors, {**file.record, **change})
    return folder / "other.safetensors"


def test_other_weights_are_compared_image_by_image(published: Path, tmp_path: Path):
    """How many tensors differ, what may be the reason, and what that means for the accuracy."""
    (bias,) = [name for name, each in load_file(published / "model.safetensors").items() if each.shape == (10,)]
    always_seven = torch.zeros(10)
    always_seven[7] = 1000
    other = doctored(published, tmp_path, add={bias: always_seven}, torch="1.0")
    found = zoo.reproduce(other, out=tmp_path / "again", threads=1)
    assert (found["equal"], found["different"]) == (False, 1)
    assert found["reasons"][0].startswith("torch 1.0 then, ")
    assert "threads not told by" in found["reasons"][-1]
    fresh = zoo.evaluate(tmp_path / "again")
    assert found["new_accuracy"] == pytest.approx(fresh["accuracy"])
    sevens = next(row for row in fresh["classes"] if row["class"] == "7")
    assert found["accuracy"] == pytest.approx(sevens["images"] / found["samples"])
    gap = found["new_only"] - found["source_only"]
    assert gap / found["samples"] == pytest.approx(found["new_accuracy"] - found["accuracy"])
    assert 0 < found["p"] <= 1


def test_unequal_bits_are_an_error_only_where_that_is_asked_for(
    published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """--strict, with exit code 1, after all was told."""
    weights = load_file(published / "model.safetensors")
    name = next(name for name, each in weights.items() if each.is_floating_point())
    other = str(doctored(published, tmp_path, add={name: 1e-3}))
    assert main(["reproduce", other, "--quiet", "--out", str(tmp_path / "a"), "--threads", "1"]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("not equal: 1 of ")
    assert "McNemar's p" in told.out
    assert main(["reproduce", other, "--quiet", "--out", str(tmp_path / "b"), "--threads", "1", "--strict"]) == 1
    told = capsys.readouterr()
    assert told.out.startswith("not equal: 1 of ")
    assert "tensors are not those of" in told.err


def test_equal_bits_are_told_in_a_line(published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """And are no error under --strict."""
    assert main(["reproduce", str(published), "--quiet", "--strict", "--out", str(tmp_path / "a")]) == 0
    assert capsys.readouterr().out.startswith("equal to the bit: all ")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of two classes with a test split."""
    for split, count in (("train", 6), ("test", 3)):
        for label, name in enumerate(("dark", "light")):
            folder = tmp_path / "photos" / split / name
            folder.mkdir(parents=True)
            for index in range(count):
                noise = np.random.default_rng(index).integers(0, 60, (8, 8, 3), dtype=np.uint8) + 150 * label
                Image.fromarray(noise.astype(np.uint8)).save(folder / f"{index}.png")
    return tmp_path / "photos"


def test_data_that_are_others_stop_it_before_it_trains(photos: Path, tmp_path: Path):
    """A file that is gone, from the run or what was published of it: the split is named and no run is made."""
    root = {"data.root": str(photos)}
    zoo.train("linear", data="folder", options=root, epochs=1, batch_size=4, threads=1, out=tmp_path / "run")
    zoo.publish(tmp_path / "run", tmp_path / "published")
    moved = tmp_path / "moved"
    shutil.copytree(photos, moved)
    found = zoo.reproduce(tmp_path / "published", options={"data.root": str(moved)}, out=tmp_path / "again")
    assert found["equal"]
    (moved / "test" / "dark" / "0.png").unlink()
    (photos / "train" / "dark" / "0.png").unlink()
    for source, options, split in (("published", {"data.root": str(moved)}, "test"), ("run", None, "training")):
        with pytest.raises(zoo.UsageError, match=f"nothing was trained: .*{split} images"):
            zoo.reproduce(tmp_path / source, options=options, out=tmp_path / "never")
        assert not (tmp_path / "never").exists()


def test_one_training_image_that_was_changed_stops_it(photos: Path, tmp_path: Path):
    """Before it trains, and the split is named; of the run its file, too."""
    root = {"data.root": str(photos)}
    zoo.train("linear", data="folder", options=root, epochs=1, batch_size=4, threads=1, out=tmp_path / "run")
    zoo.publish(tmp_path / "run", tmp_path / "published")
    changed = photos / "train" / "light" / "2.png"
    with Image.open(changed) as image:
        pixels = np.array(image)
    pixels[0, 0] = 0
    Image.fromarray(pixels).save(changed)
    for source, told in (
        ("run", r"training images: 1 changed \('train/light/2\.png' from"),
        ("published", "training images: other names and sizes"),
        ("published/model.safetensors", "training images: other names and sizes"),
    ):
        with pytest.raises(zoo.UsageError, match=f"nothing was trained: .*{told}"):
            zoo.reproduce(tmp_path / source, options=root, out=tmp_path / "never")
        assert not (tmp_path / "never").exists()


def test_data_that_nobody_can_find_are_asked_for(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What was published knows no absolute path."""
    root = {"data.root": str(photos)}
    zoo.train("linear", data="folder", options=root, epochs=1, batch_size=4, threads=1, out=tmp_path / "run")
    zoo.publish(tmp_path / "run", tmp_path / "published")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(zoo.UsageError, match=r"--set data\.root=DIR"):
        zoo.reproduce(tmp_path / "published", out=tmp_path / "again")


def test_a_file_without_a_record_of_its_data_is_compared_as_far_as_it_can_be(published: Path, tmp_path: Path):
    """By classes, size and statistics, and that is told; a record of another form is damage."""
    told: list[str] = []

    class Listener(zoo.Reporter):
        def notice(self, text: str) -> None:
            told.append(text)

    other = doctored(published, tmp_path, data={})
    assert zoo.reproduce(other, out=tmp_path / "again", threads=1, reporter=Listener())["equal"]
    assert "has no record of its data" in told[0]
    wrong = doctored(published, tmp_path, data={"schema": 1, "images": {}})
    with pytest.raises(zoo.DamagedError, match="lacks or misstates the images"):
        zoo.reproduce(wrong, out=tmp_path / "b", threads=1)


def test_what_cannot_be_reproduced_is_told(run: Path):
    """A checkpoint alone; a run in the place of the new one."""
    with pytest.raises(zoo.UsageError, match="it is one checkpoint, or was"):
        zoo.reproduce(max((run / "checkpoints").iterdir()))
    with pytest.raises(zoo.UsageError, match="is not free"):
        zoo.reproduce(run, out=run)


def test_bits_are_compared_and_not_values():
    """A nan is equal to itself, and zero is not minus zero; types and shapes count."""
    nan, zero = torch.tensor(float("nan")), torch.tensor(0.0)
    assert _same_bits(nan, nan.clone())
    assert not _same_bits(zero, -zero)
    assert not _same_bits(zero, zero.double())
    assert not _same_bits(zero, zero[None])
