"""How layers of settings combine."""

from __future__ import annotations

import pytest

from zoo.config import Config, Layer, in_order
from zoo.errors import UsageError


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


def test_keys_of_one_table_may_come_one_by_one():
    """As ``--set model.expects.mean=... --set model.expects.std=...`` do; what is no table is replaced."""
    tables = ({"name": "net", "extra": {"a": 1, "b": 2}}, {"extra": {"b": 3}}, {"extra": {"c": 4}})
    assert model_options(*tables) == {"extra": {"a": 1, "b": 3, "c": 4}}
    assert model_options(*tables, {"extra": 5}) == {"extra": 5}


def test_choosing_other_augmentations_drops_the_options_of_those_that_are_left_out():
    """As a flag over a recipe does; those of one that stays are kept, whichever of its names is given."""
    model = Layer("file", {"model": {"name": "net"}})
    recipe = {"names": ["augment/warp", "augment/shift"], "warp": {"degrees": 5}, "shift": {"pixels": 2}}
    for names, options in ((["shift"], [{"pixels": 2}]), (["augment/shift"], [{"pixels": 2}]), ([], [])):
        layers = [model, Layer("recipe", {"augment": recipe}), Layer("flag", {"augment": {"names": names}})]
        merged = Config.from_layers(layers)
        assert [choice.options for choice in merged.augment] == options


def test_epochs_of_a_stronger_layer_replace_the_steps_of_a_weaker_one():
    """Else a flag would be ignored silently; within one layer steps count in place of epochs, as they always do."""

    def steps(*tables: dict) -> int | None:
        layers = [Layer("test", {"model": {"name": "net"}, "train": table}) for table in tables]
        return Config.from_layers(layers).train.steps

    assert steps({"steps": 400}, {"epochs": 1}) is None
    assert steps({"epochs": 1}, {"steps": 400}) == 400
    assert steps({"steps": 400, "epochs": 1}) == 400
    assert steps({"steps": 400}, {"seed": 1}) == 400


def test_flags_lie_over_one_another_in_one_order_however_they_were_typed():
    """Names first, as they drop the options of another; steps last, as they count in place of epochs."""
    settings = {"steps": 3, "lr": 0.1, "optimizer": "sgd", "epochs": 1, "model": "mlp"}
    assert [name for name, _ in in_order(settings)] == ["optimizer", "model", "lr", "epochs", "steps"]


def test_a_file_of_the_first_schema_means_what_it_meant():
    """Pretrained weights were trained on like any other then; what is said since lies above that."""
    old = Layer("old.toml", {"schema": 1, "model": {"name": "net", "pretrained": True}})
    assert Config.from_layers([old]).train.tune == "off"
    assert Config.from_layers([Layer("recipe", {"train": {"tune": "head"}}), old]).train.tune == "head"
    assert Config.from_layers([old, Layer("--tune", {"train": {"tune": "full"}})]).train.tune == "full"
    assert Config.from_layers([Layer("new.toml", {"schema": 2, "model": {"name": "net"}})]).train.tune == "auto"


def test_a_file_of_the_second_schema_crops_inputs():
    """As it did when it was written; a newer one leaves it to zoo."""
    old, new = ({"schema": schema, "model": {"name": "net"}} for schema in (2, 3))
    assert Config.from_layers([Layer("old.toml", old)]).train.crop_from == "input"
    assert (
        Config.from_layers([Layer("old.toml", old), Layer("--set", {"train": {"crop_from": "file"}})]).train.crop_from
        == "file"
    )
    assert Config.from_layers([Layer("new.toml", new)]).train.crop_from == "auto"


@pytest.mark.parametrize(("below", "above"), [("a/b", "b"), ("b", "a/b"), ("b", "b")], ids=["short", "full", "equal"])
@pytest.mark.parametrize("own", [{}, {"width": 2}], ids=["no options", "options"])
def test_naming_one_of_several_again_keeps_its_options(below, above, own):
    """In short or in full, as of a single one; options of its own lie over those."""
    first = Layer("file", {"model": {"name": "net"}, "augment": {"names": ["d", below], below: {"p": 1, "width": 1}}})
    again = Layer("above", {"augment": {"names": [above], **({above: own} if own else {})}})
    (choice,) = Config.from_layers([first, again]).augment
    assert (choice.name, choice.options) == (above, {"p": 1, "width": 1, **own})


@pytest.mark.parametrize(("schema", "meant"), [(1, "off"), (2, "off"), (3, "auto")])
def test_a_file_of_an_older_schema_fits_no_head_anew(schema, meant):
    """Where it leaves that unsaid; above it what is said counts."""
    file = Layer("run.toml", {"schema": schema, "model": {"name": "net"}})
    assert Config.from_layers([file]).train.refit == meant
    assert Config.from_layers([file, Layer("--refit", {"train": {"refit": "on"}})]).train.refit == "on"


@pytest.mark.parametrize(("schema", "meant"), [(1, 0), (2, 0), (3, 0), (4, "auto")])
def test_a_file_of_an_older_schema_freezes_nothing_by_itself(schema, meant):
    """Where it leaves that unsaid; what it says, and what is said above it, counts."""
    file = Layer("run.toml", {"schema": schema, "model": {"name": "net"}})
    assert Config.from_layers([file]).train.freeze == meant
    assert Config.from_layers([file, Layer("--freeze", {"train": {"freeze": 2}})]).train.freeze == 2
    said = Layer("run.toml", {"schema": schema, "model": {"name": "net"}, "train": {"freeze": "stem.*"}})
    assert Config.from_layers([said]).train.freeze == "stem.*"


@pytest.mark.parametrize("schema", [0, 5, "2", [1], None])
def test_another_schema_is_refused_in_a_line(schema):
    """The source is named, and what this zoo reads."""
    with pytest.raises(UsageError, match=r"^run.toml: schema is .* this torch-zoo reads schema 4 and older ones"):
        Config.from_layers([Layer("run.toml", {"schema": schema, "model": {"name": "net"}})])
