"""What a model's plugin tells another library, `model.hub_config`: what it is given, and what it may return."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from torch import nn

from zoo.errors import PluginError
from zoo.sharing.publishing import hub_config


def loaded(model: nn.Module, *, expects: Any = None, size: tuple[int, int] | None = None) -> Any:
    """As much of a loaded run as a published folder's config.json is made of."""
    prepare = SimpleNamespace(channels=3, size=size, interpolation="bicubic")
    images = SimpleNamespace(classes=["auk", "tern"], mean=[0.1], std=[0.2], image_size=(24, 32))
    network = SimpleNamespace(model=model, prepare_evaluation=prepare, expects=expects)
    return SimpleNamespace(
        network=network, images=images, config=SimpleNamespace(model=SimpleNamespace(name="auk/net"))
    )


def net(hub_config: Any) -> nn.Module:
    model = nn.Linear(2, 2)
    model.hub_config = hub_config
    return model


@pytest.mark.parametrize(
    ("expects", "size", "told"),
    [
        (None, None, {"mean": [0.1], "std": [0.2], "input_size": (3, 24, 32)}),
        (None, (12, 12), {"mean": [0.1], "std": [0.2], "input_size": (3, 12, 12)}),
        (SimpleNamespace(mean=[0.5], std=[0.6]), None, {"mean": [0.5], "std": [0.6], "input_size": (3, 24, 32)}),
    ],
    ids=["the data's", "a size that it was evaluated with", "what pretrained weights expect"],
)
def test_it_is_told_what_the_model_was_evaluated_with(expects: Any, size: Any, told: dict[str, Any]):
    """With that the other library must prepare its images."""
    model = net(lambda model, facts: {"architecture": type(model).__name__, **facts})
    assert hub_config(loaded(model, expects=expects, size=size)) == {
        "architecture": "Linear",
        "classes": ["auk", "tern"],
        "interpolation": "bicubic",
        **told,
    }


def test_a_model_without_one_has_none_whatever_its_parts_are_called():
    """A submodule of that name is a part of the model."""
    assert hub_config(loaded(nn.Linear(2, 2))) is None
    assert hub_config(loaded(net(nn.Linear(2, 2)))) is None


def fails(model: nn.Module, facts: Any) -> Any:
    raise KeyError("family")


WRONG = {
    "fails": (fails, "KeyError: 'family'"),
    "nothing": (lambda model, facts: None, "TypeError"),
    "a list": (lambda model, facts: [1, 2], "TypeError"),
    "a text": (lambda model, facts: "resnet18", "ValueError"),
    "what JSON cannot say": (lambda model, facts: {"model": model}, "TypeError"),
    "a number that is none": (lambda model, facts: {"mean": float("nan")}, "ValueError"),
    "of other arguments": (lambda model: {}, "TypeError"),
}


@pytest.mark.parametrize("case", WRONG)
def test_one_that_fails_or_returns_something_else_is_the_plugin_s_fault(case: str):
    """In a line that names the model, before anything is published."""
    make, told = WRONG[case]
    with pytest.raises(PluginError, match=r"^the hub_config of auk/net fails: ") as caught:
        hub_config(loaded(net(make)))
    assert told in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
