"""The model ``ensemble``: what its options may be, and what each member is given by them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from zoo_ensemble.models import ensemble as build

import zoo
from zoo.data import Preparation
from zoo.errors import UsageError
from zoo.runs.members import Member
from zoo.training.ensemble import MemberInputs

FACTS: dict[str, Any] = {"num_classes": 3, "in_channels": 1, "image_size": (8, 8)}


def _net(num_classes: int, in_channels: int, image_size: tuple[int, int]) -> torch.nn.Module:
    height, width = image_size
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(in_channels * height * width, num_classes))


def test_a_member_is_given_the_size_that_its_run_was_evaluated_in(monkeypatch: pytest.MonkeyPatch):
    """`--eval-size`, not the size that the model itself asks for, also where that is the images' own."""
    monkeypatch.setattr("zoo_mlp.nets.linear", _asks)
    images = SimpleNamespace(image_size=(8, 8), mean=(0.5,), std=(0.5,))
    prepare = Preparation([0.5], [0.5], size=(6, 6))
    network = SimpleNamespace(model=_asks(**FACTS), prepare_evaluation=prepare.at((8, 8)), expects=None)
    component = SimpleNamespace(choice=SimpleNamespace(name="mlp/linear"), options={})
    member: Any = SimpleNamespace(run=SimpleNamespace(network=network, images=images), component=component)
    table = Member.table(member, member.run)
    assert (table["input_size"], table.get("image_size")) == ([8, 8], None)
    model = build(**FACTS, members=[table, "mlp"])
    inputs = torch.randn(2, 1, 8, 8)
    assert torch.equal(model.inputs[0](inputs), inputs)


def _asks(*, num_classes: int, in_channels: int, image_size: tuple[int, int]) -> torch.nn.Module:
    model = _net(num_classes, in_channels, image_size)
    model.input_size = (6, 6)  # type: ignore[assignment]
    return model


def test_names_alone_make_an_ensemble_that_is_trained_together():
    """As `--set model.members=[...]` does; a member is given the size that it asks for."""
    model = build(**FACTS, members=["linear", {"name": "mlp", "options": {"widths": [4]}, "input_size": [6, 6]}])
    assert model(torch.randn(2, 1, 8, 8)).shape == (2, 3)
    assert isinstance(model.inputs[1], MemberInputs)
    assert model.members[1][2].weight.shape == (4, 36)


@pytest.mark.parametrize(
    ("members", "text"),
    [
        (["linear"], "at least two models, not 1"),
        (["linear", 3], "a model's name, or a table with one, not 3"),
        (["linear", {"options": {}}], "a model's name, or a table with one"),
        (["linear", {"name": "mlp", "widths": [4]}], "has no 'widths'; it takes name, options"),
        (["linear", {"name": "linear", "mean": [0.5]}], "needs mean and std together"),
        (["linear", {"name": "linear", "mean": [0.5], "std": [1]}], "model.mean and model.std must tell"),
        ("mlp", "must be a list of models, not 'mlp'"),
        ({"name": "mlp", "options": {}}, "must be a list of models"),
        (["linear", {"name": "mlp", "input_size": [6]}], r"input_size of member 'mlp' must be a side or \[H, W\]"),
        (["linear", {"name": "mlp", "image_size": "8"}], "image_size of member 'mlp' must be a side"),
        (["linear", {"name": "mlp", "input_size": 0}], "in pixels, not 0"),
        (["linear", {"name": "mlp", "options": "x"}], "options of member 'mlp' must be a table"),
        (["linear", {"name": "mlp", "options": {"num_classes": 2}}], "'num_classes' is no option; zoo gives it"),
        (["linear", {"name": "mlp", "interpolation": "cubic"}], "one of nearest, bilinear, bicubic, not 'cubic'"),
        (["linear", {"name": "mlp", "interpolation": ["bilinear"]}], "must be one of nearest, bilinear"),
        (["linear", {"name": "mlp", "mean": 0.5, "std": [1]}], "mean of member 'mlp' must be a list of numbers"),
        (["linear", {"name": "mlp", "mean": [True], "std": [1]}], "must be a list of numbers"),
        (["linear", {"name": "mlp", "mean": [0.5], "std": [1, 1, 1]}], "a number for each channel"),
        (["linear", {"name": "mlp", "mean": [0.5], "std": [0]}], r"every std of member 'mlp' must be above 0, not \[0"),
        (["linear", {"name": "mlp", "mean": [float("nan")], "std": [1]}], "must be a list of numbers"),
        (["linear", "lineer"], "no model named 'lineer'. Did you mean 'linear'"),
        (
            ["linear", {"name": "ensemble", "options": {"members": ["linear", "mlp"]}}],
            "a member of an ensemble cannot be an ensemble",
        ),
    ],
)
def test_members_that_cannot_be_built_are_refused(members: list[Any], text: str):
    """In a line that names the option."""
    with pytest.raises(UsageError, match=text):
        build(**FACTS, members=members)


@pytest.mark.parametrize(
    ("statistics", "text"),
    [
        ({"mean": [0.5, 0.5, 0.5]}, "the ensemble needs mean and std together"),
        ({"mean": [0.5], "std": [1]}, "of which there are 3, not 1 and 1"),
        ({"mean": [0.5, 0.5], "std": [1, 1]}, "of which there are 3, not 2 and 2"),
        ({"mean": [0.5] * 3, "std": [0, 0, 0]}, "every std of the ensemble must be above 0"),
        ({"mean": 0.5, "std": 1}, "mean of the ensemble must be a list of numbers"),
    ],
)
def test_statistics_that_cannot_be_are_refused(statistics: dict[str, Any], text: str):
    """They would be taken without a word, or fail in the first forward pass."""
    with pytest.raises(UsageError, match=text):
        build(**{**FACTS, "in_channels": 3}, members=["linear", "mlp"], **statistics)
    if len(statistics) == 2:
        with pytest.raises(UsageError, match=text.replace("the ensemble", "member 'mlp'")):
            build(**{**FACTS, "in_channels": 3}, members=["linear", {"name": "mlp", **statistics}])


def test_grey_inputs_are_normalised_by_one_number():
    """A member may take three channels of them, the ensemble itself has one."""
    coloured = {"name": "linear", "mean": [0.1, 0.2, 0.3], "std": [0.5, 0.6, 0.7]}
    model = build(**FACTS, members=["linear", coloured], mean=[0.5], std=[0.25])
    assert model(torch.randn(2, 1, 8, 8)).shape == (2, 3)
    with pytest.raises(UsageError, match=r"must be one number each for grey images, not 3"):
        build(**FACTS, members=["linear", coloured], mean=[0.5] * 3, std=[0.25] * 3)


def test_a_side_alone_is_a_square():
    """As for the models that have the option themselves."""
    model = build(**FACTS, members=["linear", {"name": "linear", "input_size": 6}])
    assert model.inputs[1](torch.randn(2, 1, 8, 8)).shape == (2, 1, 6, 6)


def test_pretrained_members_are_not_trained_together_by_foreign_statistics(monkeypatch: pytest.MonkeyPatch):
    """Their weights expect inputs that only the member's own mean and std tell of; with those they are given them."""
    monkeypatch.setattr("zoo_mlp.nets.linear", _pretrained)
    with pytest.raises(UsageError, match=r"'linear' has weights that expect .* let 'zoo ensemble' put the runs"):
        build(**FACTS, members=["mlp", "linear"])
    told: dict[str, Any] = {"name": "linear", "mean": [0.5], "std": [0.5]}
    with pytest.raises(UsageError, match="or give its mean, std and input_size"):
        build(**FACTS, members=["mlp", told], mean=[0.1], std=[0.3])
    told["input_size"] = 8
    model = build(**FACTS, members=["mlp", told], mean=[0.1], std=[0.3])
    black = torch.full((1, 1, 8, 8), -0.1 / 0.3)
    torch.testing.assert_close(model.inputs[1](black), torch.full((1, 1, 8, 8), -1.0))


def test_no_member_begins_with_weights_of_its_own():
    """Nobody would record which, and they would be fetched again whenever the ensemble is loaded."""
    with pytest.raises(UsageError, match=r"member 'linear' cannot begin with pretrained weights; train it alone, and"):
        build(**FACTS, members=["mlp", {"name": "linear", "options": {"pretrained": "weights.safetensors"}}])


def _pretrained(*, num_classes: int, in_channels: int, image_size: tuple[int, int]) -> torch.nn.Module:
    model = _net(num_classes, in_channels, image_size)
    model.expects = zoo.Expects(mean=[0.5], std=[0.5])  # type: ignore[assignment]
    return model
