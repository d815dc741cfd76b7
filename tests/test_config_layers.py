"""How layers of settings combine."""

from __future__ import annotations

import pytest

from zoo.config import Config, Layer


def model_options(*tables: dict) -> dict:
    return dict(Config.from_layers([Layer("test", {"model": table}) for table in tables]).model.options)


@pytest.mark.parametrize(
    ("below", "above"), [("cnn/net", "net"), ("net", "cnn/net"), ("net", "net")], ids=["short", "full", "equal"]
)
def test_naming_the_same_entry_again_keeps_its_options(below, above):
    """A flag that repeats a file's model, in short or in full, does not drop what the file says of it."""
    assert model_options({"name": below, "p": 0.5}, {"name": above}) == {"p": 0.5}


def test_naming_another_entry_drops_the_options_of_the_one_before():
    """Options are for one builder; another one's are not guessed."""
    assert model_options({"name": "cnn/net", "p": 0.5}, {"name": "cnn/other"}) == {}
