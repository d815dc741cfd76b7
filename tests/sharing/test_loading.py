"""`zoo.load`: a trained model that is called on images."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import zoo
from zoo.runs.sources import open_source


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished, calibrated run of two epochs, which tests only read."""
    path = tmp_path_factory.mktemp("runs") / "run"
    zoo.train("linear", epochs=2, threads=1, options={"data.limit": 256}, out=path)
    zoo.calibrate(path)
    return path


@pytest.fixture
def digit(tmp_path: Path) -> Path:
    """A picture of noise."""
    path = tmp_path / "digit.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)).save(path)
    return path


def test_a_loaded_model_says_what_predict_says(run: Path, digit: Path):
    """Of a path, bytes, Pillow's image and an array alike, tempered as the run is."""
    (expected,) = zoo.predict(run, [digit], top_k=3)
    model = zoo.load(run)
    with Image.open(digit) as image:
        given = [digit, str(digit), digit.read_bytes(), image, np.array(image)]
        found = [model(each, top_k=3) for each in given]
    assert {(each.label, each.labels, each.probabilities) for each in found} == {
        (expected.label, expected.labels, expected.probabilities)
    }
    assert model.classes == tuple("0123456789")


def test_several_images_give_a_list(run: Path, digit: Path):
    """A list, a generator, an array (N, H, W, C) and a folder; one image in a list is still a list."""
    model = zoo.load(run)
    with Image.open(digit) as image:
        array = np.array(image)
    (expected,) = zoo.predict(run, [digit])

    def generator() -> Iterator[np.ndarray]:
        yield array

    for several in ([digit], generator(), array[None, :, :, None], digit.parent):
        (found,) = model(several)
        assert (found.label, found.probabilities) == (expected.label, expected.probabilities)
    assert len(model([digit] * 3)) == 3


def test_the_module_takes_what_its_prepare_makes(run: Path, digit: Path):
    """So a program of one's own computes the logits itself."""
    model = zoo.load(run)
    with Image.open(digit) as image:
        pixels = torch.from_numpy(np.array(image))[None, None]
    with torch.no_grad():
        logits = model.module(model.module.prepare(pixels))
    assert not model.module.training
    assert model.classes[int(logits.argmax())] == model(digit).label


def test_a_checkpoint_alone_is_enough(run: Path, digit: Path, tmp_path: Path):
    """Where it stands it has its run's temperature; copied elsewhere it has none, and the same label."""
    newest = max((run / "checkpoints").iterdir())
    expected = zoo.predict(run, [digit], checkpoint="last")[0]
    assert zoo.load(run, checkpoint="last")(digit).probabilities == expected.probabilities
    assert zoo.load(newest)(digit).label == expected.label
    copied = shutil.copytree(newest, tmp_path / "anywhere")
    assert zoo.load(copied)(digit).label == expected.label


def test_what_train_returned_can_be_loaded(run: Path, digit: Path):
    """It knows its directory."""
    finished = zoo.train("linear", epochs=2, threads=1, options={"data.limit": 256}, out=run)
    assert zoo.load(finished)(digit) == zoo.load(run)(digit)


def test_a_model_introduces_itself(run: Path):
    """What it is, what it takes, what it knows and where it is from."""
    step = open_source(run).step
    assert repr(zoo.load(run)) == (
        "<zoo.Classifier mlp/linear, trained on mnist/mnist: 1 x 28 x 28 to 10 classes "
        f"('0', '1', '2', '3', '4', ...); from {str(run)!r}, step {step}>"
    )


def test_a_models_own_prepare_stays_its_own(run: Path, monkeypatch: pytest.MonkeyPatch):
    """A module may have a method of that name, which its forward needs."""
    monkeypatch.setattr(torch.nn.Sequential, "prepare", "its own", raising=False)
    model = zoo.load(run)
    assert model.module.prepare == "its own"
    assert model.prepare.channels == 1


@pytest.mark.parametrize("name", ["state.json", "model.safetensors", "MANIFEST.json"])
def test_a_flipped_byte_in_a_checkpoint_is_refused(run: Path, tmp_path: Path, name: str):
    """Whichever file it is in."""
    copied = shutil.copytree(max((run / "checkpoints").iterdir()), tmp_path / "copied")
    data = bytearray((copied / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copied / name).write_bytes(data)
    with pytest.raises(zoo.DamagedError):
        zoo.load(copied)


def test_an_image_that_cannot_be_read_is_an_error(run: Path):
    """As with `zoo.predict`."""
    model = zoo.load(run)
    with pytest.raises(zoo.DamagedError, match="is no image"):
        model(b"no image")
    with pytest.raises(zoo.UsageError, match="No such file"):
        model("none.png")
    with pytest.raises(zoo.UsageError, match=r"images\[0\] must be a path"):
        model(7)
    with pytest.raises(zoo.UsageError, match="top_k must be from 1 to 10"):
        model(np.zeros((28, 28), dtype=np.uint8), top_k=11)


def test_what_is_no_model_is_told(tmp_path: Path):
    """A missing path, another folder, another object."""
    with pytest.raises(zoo.UsageError, match="there is no run"):
        zoo.load(tmp_path / "none")
    with pytest.raises(zoo.UsageError, match="is no trained model: neither"):
        zoo.load(tmp_path)
    with pytest.raises(zoo.UsageError, match="is loaded from a path"):
        zoo.load(7)
