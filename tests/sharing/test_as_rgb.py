"""A grey model that is published as one of colour says the same: luma is in its first convolution."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from published_models import pictures, published

import zoo
from zoo.cli import main
from zoo.runs.sources import open_source


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published grey model, its run beside it; tests only read both."""
    return published("grey", tmp_path_factory.mktemp("grey"), as_rgb=True)


def test_zoo_says_of_it_what_it_says_of_the_run(folder: Path, tmp_path: Path):
    """Of coloured pictures and grey ones, and in its measures."""
    images = pictures(tmp_path)
    Image.open(images[0]).convert("L").save(images[0])
    for own, found in zip(zoo.predict(folder.parent / "run", images), zoo.predict(folder, images), strict=True):
        assert (found.label, found.probabilities) == (own.label, pytest.approx(own.probabilities, abs=1e-5))
    own, found = zoo.evaluate(folder.parent / "run"), zoo.evaluate(folder)
    assert (found["accuracy"], found["loss"]) == (own["accuracy"], pytest.approx(own["loss"], abs=1e-5))


def test_timm_takes_pictures_of_colour(folder: Path, tmp_path: Path):
    """It has three channels there, and says within 1e-3 what the grey model says of their luma."""
    images = pictures(tmp_path)
    model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    data = timm.data.resolve_data_config(model=model)
    assert data["input_size"] == (3, 28, 28)
    pixels = torch.from_numpy(np.stack([np.array(Image.open(path)) for path in images])).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(data[name]).reshape(1, 3, 1, 1) for name in ("mean", "std"))
    with torch.no_grad():
        probabilities = model((pixels - mean) / std).softmax(1)
    own = zoo.predict(folder.parent / "run", images, top_k=10)
    for expected, found in zip(own, probabilities, strict=True):
        by_class = dict(zip(model.pretrained_cfg["label_names"], found.tolist(), strict=True))
        for label, probability in zip(expected.labels, expected.probabilities, strict=True):
            assert by_class[label] == pytest.approx(probability, abs=1e-3)


def test_one_tensor_is_another(folder: Path):
    """The first convolution, whose filters of the three colours add up to the grey one."""
    grey, colour = open_source(folder.parent / "run").weights, open_source(folder).weights
    (first,) = [name for name in grey if grey[name].shape != colour[name].shape]
    assert torch.allclose(colour[first].sum(1, keepdim=True), grey[first], atol=1e-6)
    assert all(torch.equal(grey[name], colour[name]) for name in grey if name != first)


def test_it_is_not_reproduced(folder: Path, capsys: pytest.CaptureFixture[str]):
    """Its recipe gives the grey model."""
    assert main(["reproduce", str(folder)]) == 2
    assert "was published with --as-rgb, or not trained by zoo" in capsys.readouterr().err


def test_what_cannot_be_one_of_colour_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """One that takes colour, and one that does not begin with a convolution; nothing is written."""
    zoo.train("linear", out=tmp_path / "linear", steps=2, threads=1, options={"data.limit": 64})
    published("colour", tmp_path)
    for run, told in (
        ("linear", "mlp/linear has no single one for its channels"),
        ("run", "--as-rgb is for models of grey images, and timm/resnet10t takes colour already"),
    ):
        assert main(["publish", str(tmp_path / run), str(tmp_path / "never"), "--as-rgb"]) == 2
        assert told in capsys.readouterr().err
        assert not (tmp_path / "never").exists()
