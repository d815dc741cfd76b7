"""``zoo explain``, as one types it, and `zoo.explain`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.cli import main


@pytest.fixture(autouse=True)
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A picture in the working folder, larger than the model's."""
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(0).integers(0, 256, (40, 56), dtype=np.uint8)
    Image.fromarray(noise).save("seven.png")
    return tmp_path / "seven.png"


@pytest.mark.parametrize(("run", "how"), [("linear", "occlusion"), ("lenet5", "Grad-CAM of")])
def test_a_picture_is_written_and_told_of(both_kinds: Path, run: str, how: str, capsys: pytest.CaptureFixture[str]):
    """By default under the image's name, with its class and probability as predicted."""
    assert main(["explain", str(both_kinds / run), "seven.png"]) == 0
    out = capsys.readouterr().out
    (said,) = zoo.predict(both_kinds / run, ["seven.png"])
    assert out.startswith(f"seven.png: {said.label}, {100 * said.probabilities[0]:.2f} %, {how}")
    assert out.endswith(": seven-explained.png\n")
    with Image.open("seven-explained.png") as picture:
        assert (picture.mode, picture.size) == ("RGB", (2 * 252 + 8, 252))


def test_class_method_and_place_are_chosen(both_kinds: Path, capsys: pytest.CaptureFixture[str]):
    """And JSON tells what was done."""
    wishes = ["--class", "3", "--method", "occlusion", "--out", "why.png", "--json"]
    assert main(["explain", str(both_kinds / "lenet5"), "seven.png", *wishes]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["image"], told["label"], told["method"], told["layer"], told["file"]) == (
        "seven.png",
        "3",
        "occlusion",
        "",
        "why.png",
    )
    assert told["probability"] == zoo.explain(both_kinds / "lenet5", "seven.png", label="3").probability
    assert Path("why.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["linear", "seven.png", "--class", "33"], 2, "no class named '33'. Did you mean '3'?"),
        (["linear", "seven.png", "--method", "grad-cam"], 2, "Grad-CAM needs a model whose last layers are conv"),
        (["linear", "none.png"], 2, "'none.png': No such file or directory"),
        (["linear", "seven.png", "--out", "why.jpg"], 2, "the picture is a file .png, not 'why.jpg'"),
        (["linear", "seven.png", "--out", "no/why.png"], 2, "cannot write 'no/why.png': No such file or directory"),
        (["linear", "damaged.png"], 4, "'damaged.png' is no image that zoo reads"),
        (["none", "seven.png"], 2, "none"),
    ],
)
def test_what_cannot_be_is_refused(
    both_kinds: Path, arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
):
    """In a line, and no picture is left."""
    Path("damaged.png").write_bytes(b"nothing")
    assert main(["explain", str(both_kinds / arguments[0]), *arguments[1:]]) == code
    told = capsys.readouterr()
    assert message in told.err
    assert told.err.count("\n") <= 2
    assert sorted(item.name for item in Path().iterdir()) == ["damaged.png", "seven.png"]


def test_heat_lies_over_the_image_from_0_to_1(both_kinds: Path):
    """In the size of the images that the model knows, whatever the model makes of them; it is the same each time."""
    model = zoo.load(both_kinds / "lenet5")
    found, again = (model.explain("seven.png") for _ in range(2))
    assert found.heat.shape == found.pixels.shape[1:] == (28, 28)
    assert (found.heat.min() >= 0, found.heat.max()) == (True, 1)
    assert np.array_equal(found.heat, again.heat)
    assert np.array_equal(np.asarray(found.picture()), np.asarray(again.picture()))
