"""`zoo publish`: a folder that zoo, timm and transformers load, without the machine in it, telling its damage."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from hypothesis import given
from hypothesis import strategies as st
from published_models import KINDS, logits_of
from published_models import published as a_published
from safetensors import safe_open
from safetensors.torch import load_file
from small_images import named_dataset

import zoo
from zoo.cli import main
from zoo.config import Layer
from zoo.records.weight_file import read_weight_file, write_weight_file
from zoo.runs.sources import open_source
from zoo.sharing.record import portable

DIGIT = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)


def trained(path: Path, model: str = "linear", **settings: Any) -> Path:
    """Train for a few steps and return the run."""
    zoo.train(model, steps=2, batch_size=32, threads=1, options={"data.limit": 64}, out=path, **settings)
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished, calibrated run, which tests only read."""
    path = trained(tmp_path_factory.mktemp("runs") / "run")
    zoo.calibrate(path)
    return path


@pytest.fixture(scope="module")
def published(run: Path) -> Path:
    """The run, published; tests only read it."""
    zoo.publish(run, run.parent / "published", licence="apache-2.0")
    return run.parent / "published"


def test_what_was_published_says_what_the_run_says(run: Path, published: Path):
    """The folder and its one file of weights alike, tempered as the run is."""
    expected = zoo.load(run)(DIGIT, top_k=10)
    assert zoo.load(published)(DIGIT, top_k=10) == expected
    assert zoo.load(published / "model.safetensors")(DIGIT, top_k=10) == expected


def test_the_weights_are_those_of_the_best_epoch(run: Path, published: Path):
    """To the bit, and the safetensors package reads them, too."""
    weights = open_source(run).weights
    found = load_file(published / "model.safetensors")
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[name], weights[name]) for name in found)


def test_equal_runs_are_published_in_equal_files(run: Path, published: Path, tmp_path: Path):
    """Where and by which command they were trained plays no part."""
    again = trained(tmp_path / "again")
    zoo.calibrate(again)
    zoo.publish(again, tmp_path / "published", licence="Apache-2.0")
    for name in ("model.safetensors", "zoo.toml", "config.json", "README.md"):
        assert (tmp_path / "published" / name).read_bytes() == (published / name).read_bytes(), name


def test_the_header_tells_what_the_weights_are(published: Path):
    """The configuration, the classes and what the data are known by; transformers' mark is there, too."""
    with safe_open(published / "model.safetensors", "pt") as file:
        metadata = file.metadata()
    record = json.loads(metadata["zoo"])
    assert metadata["format"] == "pt"
    assert record["config"]["model"]["name"] == "mlp/linear"
    assert record["images"]["classes"] == list("0123456789")
    assert {name: len(split["images_sha256"]) for name, split in record["data"]["splits"].items()} == {
        "test": 64,
        "train": 64,
    }


def test_nothing_of_the_machine_is_in_the_weights_or_the_recipe(published: Path, tmp_path: Path):
    """Neither threads nor an absolute path; environment.json alone has the host."""
    for name in ("model.safetensors", "zoo.toml", "config.json", "README.md"):
        data = (published / name).read_bytes()
        assert b"threads" not in data
        assert str(Path.home()).encode() + b"/" not in data
        assert str(published.parent).encode() not in data
    assert json.loads((published / "environment.json").read_bytes())["threads"] == 1
    config = open_source(published).config
    moved = type(config).from_layers(
        [Layer("", {**config.to_dict(), "data": {"name": "folder", "root": str(tmp_path / "photos")}})]
    )
    assert portable(moved)["data"] == {"name": "folder", "root": "photos"}


def test_the_card_tells_accuracy_data_licence_and_how_to_load(published: Path):
    """And its metadata is what hubs read."""
    text = (published / "README.md").read_text()
    metadata, card = text.split("---\n")[1:]
    assert 'license: "apache-2.0"' in metadata
    assert '"type": "accuracy"' in metadata
    assert "95 % interval" in card
    assert "`mnist/mnist`: 64 images" in card
    assert "zoo.load" in card
    assert "timm" not in text


def test_the_recipe_trains_again(published: Path, tmp_path: Path):
    """`zoo train --config zoo.toml` is what the card says."""
    again = zoo.train(config=published / "zoo.toml", threads=1, out=tmp_path / "again")
    weights = open_source(published).weights
    assert all(torch.equal(tensor, weights[name]) for name, tensor in again.model.state_dict().items())


def flipped(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= 1 << (place % 8)
    path.write_bytes(data)


@given(place=st.integers(0, 10**6), name=st.integers(0, 7))
def test_a_flipped_bit_anywhere_in_the_folder_is_refused(
    published: Path, tmp_path_factory: pytest.TempPathFactory, place: int, name: int
):
    """Whichever file it is in, the card included, and before a tensor is looked for."""
    copied = tmp_path_factory.mktemp("flipped") / "copied"
    shutil.copytree(published, copied)
    files = sorted(copied.iterdir())
    flipped(files[name % len(files)], place)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("zoo.runs.sources.read_weight_file", None)
        with pytest.raises(zoo.DamagedError):
            zoo.load(copied)
    shutil.rmtree(copied.parent)


@given(place=st.one_of(st.integers(0, 200), st.integers(0, 10**6)))
def test_a_flipped_bit_anywhere_in_the_file_alone_is_refused(
    published: Path, tmp_path_factory: pytest.TempPathFactory, place: int
):
    """Before anything of it is parsed; where zoo's mark itself is hit, it is no file of zoo's any more."""
    copied = tmp_path_factory.mktemp("flipped") / "copied.safetensors"
    shutil.copyfile(published / "model.safetensors", copied)
    flipped(copied, place)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("zoo.records.weight_file.read_with_metadata", None)
        with pytest.raises((zoo.DamagedError, zoo.UsageError), match="damaged"):
            zoo.load(copied)
    copied.unlink()


def test_a_file_that_is_gone_is_named(published: Path, tmp_path: Path):
    """And one that came by other ways is nobody's business."""
    copied = shutil.copytree(published, tmp_path / "copied")
    (copied / ".gitattributes").write_text("*.safetensors filter=lfs")
    assert zoo.load(copied).classes[0] == "0"
    (copied / "zoo.toml").unlink()
    with pytest.raises(zoo.UsageError, match="is no trained model"):
        zoo.load(copied)
    shutil.copyfile(published / "zoo.toml", copied / "zoo.toml")
    (copied / "metrics.csv").unlink()
    with pytest.raises(zoo.DamagedError, match=r"metrics\.csv"):
        zoo.load(copied)


def test_a_key_that_is_missing_or_has_another_name_is_named(published: Path, tmp_path: Path):
    """In a file that is whole: somebody wrote it so."""
    file = read_weight_file(published / "model.safetensors")
    renamed = r"only the model has '1\.weight', and only the checkpoint has '1\.weihgt'$"
    for change, told in (({"1.weihgt": "1.weight"}, renamed), ({}, r"only the model has '1\.weight'$")):
        tensors = {name: tensor for name, tensor in file.tensors.items() if name != "1.weight"}
        tensors |= {new: file.tensors[old] for new, old in change.items()}
        write_weight_file(tmp_path / "x.safetensors", tensors, file.record)
        with pytest.raises(zoo.UsageError, match=told):
            zoo.load(tmp_path / "x.safetensors")
        (tmp_path / "x.safetensors").unlink()


def test_another_librarys_weights_are_told_from_zoos(tmp_path: Path, run: Path):
    """A checkpoint's file, too, says nothing of its model."""
    (weights,) = max((run / "checkpoints").iterdir()).glob("model.safetensors")
    with pytest.raises(zoo.UsageError, match=r"was not published by zoo.*model\.pretrained=FILE"):
        zoo.load(weights)
    (tmp_path / "weights.pt").write_bytes(b"\x80")
    with pytest.raises(zoo.UsageError, match="of files, zoo loads those that it published"):
        zoo.load(tmp_path / "weights.pt")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": 2}, "newer zoo"),
        ({"schema": None}, "tells nothing of the model"),
        ({"config": {"model": 7}}, "misstates the configuration"),
        ({"config": None}, "misstates 'config'"),
        ({"images": {}}, "lacks or misstates the images"),
        ({"temperature": -1.0}, "misstates the temperature"),
    ],
)
def test_a_record_that_was_written_wrong_is_refused(
    published: Path, tmp_path: Path, change: Mapping[str, Any], said: str
):
    """Whoever wrote it gave it a right digest: what it says is looked at, too."""
    with safe_open(published / "model.safetensors", "pt") as file:
        record = json.loads(file.metadata()["zoo"])
    write_weight_file(tmp_path / "x.safetensors", open_source(published).weights, {**record, **change})
    with pytest.raises(zoo.ZooError, match=said):
        zoo.load(tmp_path / "x.safetensors")


def test_what_cannot_be_published_is_told(
    run: Path, published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """A folder that exists, no licence, an unfinished run: a line or two, exit code 2, and nothing is written."""
    assert main(["publish", str(run), str(published)]) == 2
    assert "exists; nothing is written over" in capsys.readouterr().err
    assert main(["publish", str(run), str(tmp_path / "new"), "--licence", "my own"]) == 2
    assert "'my own' is no licence that SPDX knows" in capsys.readouterr().err
    unfinished = shutil.copytree(run, tmp_path / "unfinished")
    summary = json.loads((unfinished / "summary.json").read_text())
    (unfinished / "summary.json").write_text(json.dumps({**summary, "status": "interrupted"}))
    assert main(["publish", str(unfinished), str(tmp_path / "new")]) == 2
    assert "is not finished (interrupted)" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["unfinished"]


def test_the_command_says_what_it_wrote(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """In a line, or as JSON, or not at all."""
    assert main(["publish", str(run), str(tmp_path / "a")]) == 0
    count = len(list((tmp_path / "a").iterdir()))
    assert f"{tmp_path / 'a'}: {count} files" in capsys.readouterr().out
    assert main(["publish", str(run), str(tmp_path / "b"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["timm"] is False
    assert main(["publish", str(run), str(tmp_path / "c"), "--quiet"]) == 0
    assert capsys.readouterr().out == ""


def test_a_model_without_a_name_cannot_be_published(tmp_path: Path):
    """Nobody could build it."""

    def net(num_classes: int, in_channels: int, image_size: tuple[int, int]) -> torch.nn.Module:
        size = in_channels * image_size[0] * image_size[1]
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(size, num_classes))

    zoo.train(net, data=named_dataset(), epochs=1, batch_size=16, threads=1, out=tmp_path / "run")
    with pytest.raises(zoo.UsageError, match="has no registered name"):
        zoo.publish(tmp_path / "run", tmp_path / "published")


@pytest.fixture(scope="module", params=KINDS)
def of_timm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published model of timm's."""
    return a_published(request.param, tmp_path_factory.mktemp("timm"))


def test_timm_loads_a_published_folder_bit_for_bit(of_timm: Path):
    """With its classes, statistics and the size of its inputs."""
    model = timm.create_model(f"local-dir:{of_timm}", pretrained=True).eval()
    inputs, expected = logits_of(of_timm)
    with torch.no_grad():
        assert torch.equal(model(inputs), expected)
    own = zoo.load(of_timm)
    assert model.pretrained_cfg["label_names"] == list(own.classes)
    assert tuple(model.pretrained_cfg["input_size"]) == tuple(inputs.shape[1:])
    data = timm.data.resolve_data_config(model=model)
    assert (data["crop_pct"], data["crop_mode"], data["interpolation"]) == (1.0, "squash", "bilinear")
    assert tuple(data["mean"]) == open_source(of_timm).images.mean
