"""The line that says how a run's images become its inputs."""

from __future__ import annotations

import pytest

from zoo.cli.transcript import _resized

ENLARGED = "images resized from 128 x 128 to 224 x 224, which the model needs"
FEWER = ": data.size reads fewer pixels than that; --set {}=128 computes with those"


def run(**changed) -> dict:
    """Return what a transcript is told of photographs that are read smaller than the weights expect them."""
    model = {"name": "timm/resnet18", "pretrained": changed.pop("pretrained", "weights:somebody")}
    data = {"name": "folder/folder", "size": changed.pop("size", 128)}
    told = {"image_size": (128, 128), "input_size": (224, 224), "weights": {"mean": 0.5}, **changed}
    return {**told, "config": {"model": model, "data": {key: value for key, value in data.items() if value}}}


@pytest.mark.parametrize(
    ("pretrained", "option"), [("weights:somebody", "model.expects.size"), (True, "model.input_size")]
)
def test_pixels_that_are_only_enlarged_are_told_with_the_cure(pretrained, option):
    """It is a builder's own option where the builder fetches the weights."""
    assert _resized(run(pretrained=pretrained)) == ENLARGED + FEWER.format(option)


def test_sides_that_differ_are_told_as_toml():
    """So that the cure can be pasted."""
    told = _resized(run(image_size=(96, 128), size=[96, 128]))
    assert told.endswith("--set model.expects.size=[96,128] computes with those")


@pytest.mark.parametrize(
    "changed",
    [{"size": None}, {"weights": None}, {"input_size": (112, 112)}, {"input_size": (64, 256)}],
    ids=["nobody chose", "no weights", "made smaller", "as many"],
)
def test_where_nobody_chose_fewer_pixels_the_sizes_alone_are_told(changed):
    """A set of small pictures has no others, and a model without weights may need its size."""
    assert _resized(run(**changed)).endswith(", which the model needs")
