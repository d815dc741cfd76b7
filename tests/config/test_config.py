"""Whole configurations: what layers make of one, how it is written and read again, and how names are refused."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.config import DATA_LIMIT, KEYS, SCHEMA, SEVERAL, SINGLE, Choice, Config, Interval, Layer, fold_of, layer_of
from zoo.config.layers import may_be_one, merge
from zoo.config.settings import TrainSettings
from zoo.errors import UnknownNameError, UsageError

MODEL = {"model": {"name": "net"}}


def made(*tables: dict[str, Any]) -> Config:
    return Config.from_layers([Layer("below", MODEL), *(Layer(f"layer {i}", table) for i, table in enumerate(tables))])


def refused(*tables: dict[str, Any]) -> str:
    with pytest.raises(UsageError) as caught:
        made(*tables)
    assert caught.value.exit_code == 2
    return str(caught.value)


names = st.from_regex(r"\A[a-z]{1,4}(/[a-z]{1,4})?\Z")
simple = st.integers(-5, 5) | st.booleans() | st.text(max_size=3) | st.lists(st.integers(0, 3), max_size=2)
# "name" and "limit" are zoo's own keys in a section.
options = st.dictionaries(st.sampled_from(["p", "width", "lr_scale", "depths"]), simple, max_size=3)
trained = st.fixed_dictionaries(
    {},
    optional={
        "epochs": st.integers(1, 9),
        "steps": st.integers(1, 9),
        "validation": st.integers(0, 9) | st.sampled_from([0.0, 0.25]),
        "fold": st.sampled_from(["1/2", "5/5"]),
        "precision": st.sampled_from(["auto", "fp32"]),
        "clip_norm": st.sampled_from([0.5, 2.0]),
        "freeze": st.sampled_from([0, 1, "blocks.*", "auto"]),
        "compile": st.booleans(),
    },
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    document: dict[str, Any] = {
        section: {"name": draw(names), **draw(options)}
        for section in SINGLE
        if section == "model" or draw(st.booleans())
    }
    if "data" in document and draw(st.booleans()):
        document["data"][DATA_LIMIT] = draw(st.integers(1, 99))
    for section in SEVERAL:
        # Of two that share a short name, one table would be both's.
        chosen = draw(st.lists(names, max_size=3, unique_by=lambda name: name.rpartition("/")[2]))
        document[section] = {"names": chosen, **{name: table for name in chosen if (table := draw(options))}}
    return {**document, "train": draw(trained)}


@settings(max_examples=25)
@given(documents())
def test_a_configuration_is_written_and_read_as_the_same(document: dict[str, Any]):
    """What a run records of itself makes the same run: nothing is lost, and nothing is added by a second time."""
    config = Config.from_layers([Layer("run.toml", document)])
    written = config.to_dict()
    again = Config.from_layers([Layer("config.toml", written)])
    assert again == config
    assert again.to_dict() == written
    assert written["schema"] == SCHEMA


@settings(max_examples=25)
@given(documents(), documents())
def test_layers_lie_over_one_another_and_stay_as_they_are(below: dict[str, Any], above: dict[str, Any]):
    """The same layer twice is that layer once, and combining changes neither."""
    kept = copy.deepcopy((below, above))
    layers = [Layer("below", below), Layer("above", above)]
    once = Config.from_layers(layers)
    assert Config.from_layers([*layers, layers[-1]]) == once
    assert (below, above) == kept
    assert once.model.name == above["model"]["name"]
    assert [choice.name for choice in once.augment] == above["augment"]["names"]


@settings(max_examples=25)
@given(documents())
def test_defaults_lie_below_whatever_is_said(document: dict[str, Any]):
    """A section that names nothing has its default entry, and a setting that is not given its own default."""
    config = Config.from_layers([Layer("run.toml", document)])
    for section, default in SINGLE.items():
        assert getattr(config, section).name == document.get(section, {}).get("name", default)
    for setting in dataclasses.fields(TrainSettings):
        assert getattr(config.train, setting.name) == document["train"].get(setting.name, setting.default)
    assert config.limit == document.get("data", {}).get("limit")


def test_a_file_has_its_tables_in_one_order_and_nothing_that_is_off():
    """Two runs' files are compared line by line, and TOML has no null."""
    config = made({"observe": {"names": ["csv"]}, "data": {"limit": 7, "root": None, "split": "a"}})
    written = config.to_dict()
    assert list(written) == ["schema", "model", "data", "optimizer", "criterion", "scheduler", "observe", "train"]
    assert written["data"] == {"name": "mnist/mnist", "split": "a", "limit": 7}
    assert written["observe"] == {"names": ["csv"]}
    assert "steps" not in written["train"]
    assert list(written["train"])[:3] == ["epochs", "batch_size", "eval_batch_size"]
    assert None not in written["train"].values()


def test_the_limit_is_zoos_own_and_no_option_of_the_dataset():
    """Only in the section of the data: elsewhere a builder may have an option of that name."""
    config = made({"data": {"limit": 50, "root": "x"}, "model": {"limit": 3}})
    assert config.limit == 50
    assert config.data.options == {"root": "x"}
    assert config.model.options == {"limit": 3}


def test_the_limit_stays_when_other_data_are_named():
    """It says how much of any data; the options of the data before do not stay."""
    config = made({"data": {"name": "folder", "root": "x", "limit": 5}}, {"data": {"name": "tar"}})
    assert (config.data, config.limit) == (Choice("tar"), 5)


def test_options_of_an_augmentation_may_stand_under_its_short_or_full_name():
    """Whichever of them the list has."""
    tables = {"shift": {"pixels": 1}, "augment/warp": {"degrees": 2}}
    config = made({"augment": {"names": ["augment/shift", "augment/warp", "flip"], **tables}})
    assert config.augment == (
        Choice("augment/shift", {"pixels": 1}),
        Choice("augment/warp", {"degrees": 2}),
        Choice("flip"),
    )
    assert isinstance(config.augment, tuple)
    written = config.to_dict()["augment"]
    assert written == {
        "names": ["augment/shift", "augment/warp", "flip"],
        "augment/shift": {"pixels": 1},
        "augment/warp": {"degrees": 2},
    }


REFUSED = [
    ({"model": {"name": ""}}, "model.name must be text, not ''"),
    ({"model": {"name": 3}}, "model.name must be text, not 3"),
    ({"optimizer": {"name": ["sgd"]}}, "optimizer.name must be text, not ['sgd']"),
    ({"augment": {"names": "flip"}}, "augment.names must be a list of names, not 'flip'"),
    ({"augment": {"names": ["flip", ""]}}, "augment.names must be a list of names, not ['flip', '']"),
    ({"observe": {"names": [1]}}, "observe.names must be a list of names, not [1]"),
    ({"augment": {"flip": {"p": 1}}}, "augment.flip has options, but 'flip' is not among the chosen: none"),
    (
        {"augment": {"names": ["warp", "a/shift"], "flip": {"p": 1}}},
        "augment.flip has options, but 'flip' is not among the chosen: warp, a/shift",
    ),
    (
        {"augment": {"names": ["a/flip"], "flip": {"p": 1}, "a/flip": {"p": 1}}},
        "augment has two tables for one entry, 'a/flip' and 'flip'; make them one",
    ),
    (
        {"augment": {"names": ["flip"], "flip": 0.5}},
        "augment.flip must be a table of options, such as --set augment.flip.OPTION=VALUE, not 0.5",
    ),
]


@pytest.mark.parametrize(("table", "message"), REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_a_choice_that_is_none_is_refused_whole(table: dict[str, Any], message: str):
    """The message is the whole of what the user reads: what stands there, and what would be right."""
    assert refused(table) == message


def test_a_run_without_a_model_is_told_how_to_name_one():
    """The one section without a default."""
    with pytest.raises(UsageError) as caught:
        Config.from_layers([Layer("run.toml", {"train": {"epochs": 1}})])
    assert str(caught.value) == (
        "no model was named; give one with --model NAME. 'zoo list models' shows what there is."
    )


def test_an_unknown_section_or_key_is_told_with_its_source_and_what_was_meant():
    """As data, too, for those who show it otherwise."""
    with pytest.raises(UnknownNameError) as caught:
        made({"trian": {}})
    assert caught.value.known == (*SINGLE, *SEVERAL, "train")
    assert caught.value.what == "section"
    with pytest.raises(UnknownNameError) as caught:
        made({"train": {"batchsize": 4}})
    assert str(caught.value).startswith("no key named 'train.batchsize'. Did you mean 'train.batch_size'")
    assert str(caught.value).endswith("? It stands in layer 0.")
    assert caught.value.known == tuple(f"train.{setting.name}" for setting in dataclasses.fields(TrainSettings))


@pytest.mark.parametrize(
    ("argument", "value", "values"),
    [
        ("model", "net", {"model": {"name": "net"}}),
        ("data", "folder", {"data": {"name": "folder"}}),
        ("lr", 0.1, {"optimizer": {"lr": 0.1}}),
        ("epochs", 3, {"train": {"epochs": 3}}),
        ("augment", "flip", {"augment": {"names": ["flip"]}}),
        ("augment", " flip , warp ", {"augment": {"names": ["flip", "warp"]}}),
        ("augment", "", {"augment": {"names": []}}),
        ("augment", "flip,", {"augment": {"names": ["flip"]}}),
        ("observe", ("csv", "html"), {"observe": {"names": ["csv", "html"]}}),
        ("observe", [], {"observe": {"names": []}}),
    ],
)
def test_a_flag_is_a_layer_of_one_key(argument: str, value: Any, values: dict[str, Any]):
    """Several names are one text with commas, or a list from Python."""
    layer = layer_of(argument, value, f"--{argument}")
    assert (layer.source, layer.values, layer.schema) == (f"--{argument}", values, SCHEMA)


@pytest.mark.parametrize("value", [3, None, {"flip": 1}, True])
def test_names_that_are_no_names_are_refused_with_their_source(value: Any):
    """As `zoo.train(augment=3)` does."""
    with pytest.raises(UsageError) as caught:
        layer_of("augment", value, "augment=")
    assert str(caught.value) == f"augment= must be names, not {value!r}"


def test_every_argument_has_one_key_of_its_own():
    """No two options of the command mean one key of the file, and every section is reached."""
    assert len(set(KEYS.values())) == len(KEYS)
    assert {key.partition(".")[0] for key in KEYS.values()} == {*SINGLE, *SEVERAL, "train"}
    assert {argument for argument, key in KEYS.items() if key == f"train.{argument}"} == {
        setting.name for setting in dataclasses.fields(TrainSettings)
    }


@pytest.mark.parametrize(
    ("below", "name", "one"),
    [
        (None, "net", True),
        (None, None, True),
        ("net", "net", True),
        ("cnn/net", "net", True),
        ("net", "cnn/net", True),
        ("cnn/net", "cnn/net", True),
        ("cnn/net", "timm/net", False),
        ("net", "nets", False),
        ("cnn/net", "cnn", False),
        ("net", 3, False),
        (3, 3, False),
    ],
)
def test_two_names_may_be_one_entry(below: Any, name: Any, one: bool):
    """Where it cannot be known without the registry, options are kept: a wrong one is refused later."""
    assert may_be_one(below, name) is one


def test_merging_changes_the_base_alone():
    """The layer's own tables are not shared with it: what lies above would be written into them."""
    layer = {"model": {"name": "net", "expects": {"size": 4}}}
    base: dict[str, Any] = {}
    merge(base, layer)
    merge(base, {"model": {"expects": {"crop": 1}, "p": 2}})
    assert layer == {"model": {"name": "net", "expects": {"size": 4}}}
    assert base == {"model": {"name": "net", "expects": {"size": 4, "crop": 1}, "p": 2}}


def test_a_layer_is_checked_without_a_change_of_what_was_given():
    """The values come back as what the settings are; the file's own stay text."""
    values = {"schema": 1, "train": {"epochs": "3"}, "optimizer": {"lr": "1e-3", "name": "sgd"}, "data": {"limit": 5}}
    kept = copy.deepcopy(values)
    checked = Layer("run.toml", values).checked()
    assert values == kept
    assert checked == {"train": {"epochs": 3}, "optimizer": {"lr": 1e-3, "name": "sgd"}, "data": {"limit": 5}}


def test_a_layer_and_a_configuration_cannot_be_changed():
    """They are shared by what checks and what records them."""
    layer, config = Layer("a", {}), made()
    for frozen, attribute in ((layer, "source"), (config, "limit"), (config.model, "name"), (config.train, "epochs")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(frozen, attribute, None)


@pytest.mark.parametrize(("text", "parts"), [("1/2", (1, 2)), ("2/2", (2, 2)), ("10/10", (10, 10)), ("1/99", (1, 99))])
def test_a_fold_is_read(text: str, parts: tuple[int, int]):
    """I and K, counted from 1."""
    assert fold_of(text) == parts


@pytest.mark.parametrize(
    "text", ["0/2", "3/2", "1/1", "1/0", "-1/2", "1", "", "/", "1/", "/2", "a/b", "1/2/3", "1.0/2"]
)
def test_what_is_no_fold_is_refused_with_its_rule(text: str):
    """In Python as a ValueError, and in a file in a line."""
    with pytest.raises(ValueError):  # noqa: PT011 - Python's own words for what is no number
        fold_of(text)
    told = "layer 0: train.fold must be I of K parts, as 2/5: I from 1 to K, and K at least 2, not "
    assert refused({"train": {"fold": text}}) == f"{told}{text!r}"


@pytest.mark.parametrize(
    "text", ["", "epoch", "0steps", "-1epoch", "1.5epoch", "1 day", "1epochsteps", "01min", "1minut"]
)
def test_what_is_no_interval_is_refused_with_examples(text: str):
    """An amount without a leading zero, and a unit."""
    with pytest.raises(ValueError, match="is no interval; give one such as 1epoch, 200steps or 10min") as caught:
        Interval.parse(text)
    assert str(caught.value).startswith(repr(text))


@given(st.integers(1, 10**6), st.sampled_from(["epoch", "steps", "min"]))
def test_an_interval_is_read_as_it_is_written(amount: int, unit: str):
    """A run's record repeats it."""
    interval = Interval(amount, unit)
    assert Interval.parse(str(interval)) == interval


def test_every_setting_says_what_it_is_for_and_which_values_are_right():
    """The option's help, its metavar and its rule are made from these."""
    for setting in dataclasses.fields(TrainSettings):
        about = setting.metadata
        assert about["help"].endswith(".")
        assert about["help"][0].isupper()
        assert bool(about["check"]) == bool(about["rule"])
        if choices := about.get("choices"):
            assert setting.default in choices
            assert about["rule"] == f"one of {', '.join(choices)}"
            assert about["metavar"] == ""
        if setting.type == "bool":
            assert setting.default is False
            assert about["metavar"] == ""


BOUNDS = [
    ("epochs", 1, 0),
    ("batch_size", 2**63 - 1, 2**63),
    ("eval_size", 1, 0),
    ("validation", 0, -1),
    ("validation", 0.999, 1.0),
    ("validation", 10**9, -0.1),
    ("seed", 0, -1),
    ("threads", 1024, 1025),
    ("threads", 1, 0),
    ("readers", 0, -1),
    ("readers", 1024, 1025),
    ("slices", 1, 0),
    ("ema", 0.0, -0.1),
    ("ema", 0.9999, 1.0),
    ("balance", 0.0, -0.01),
    ("balance", 1.0, 1.01),
    ("layer_decay", 1.0, 1.01),
    ("layer_decay", 0.01, 0.0),
    ("head_lr", 1e-9, 0.0),
    ("clip_norm", 1e-9, -1.0),
    ("freeze", 0, -1),
    ("unfreeze_after", 1, 0),
    ("patience", 1, 0),
    ("log_every", 1, 0),
    ("accumulate", 1, 0),
]


@pytest.mark.parametrize(("name", "inside", "outside"), BOUNDS)
def test_a_bound_is_where_it_is_stated(name: str, inside: Any, outside: Any):
    """The last value that is right, and the first that is not."""
    assert getattr(made({"train": {name: inside}}).train, name) == inside
    assert refused({"train": {name: outside}}).endswith(f", not {outside!r}")


@pytest.mark.parametrize(("limit", "kept"), [(1, 1), (10**12, 10**12)])
def test_a_limit_is_a_whole_number(limit: int, kept: int):
    """From one on."""
    assert made({"data": {"limit": limit}}).limit == kept


@pytest.mark.parametrize(("rate", "kept"), [(1, 1.0), ("0.5", 0.5), (" 1e-4 ", 1e-4), (5e-324, 5e-324)])
def test_a_rate_is_a_number_above_zero(rate: Any, kept: float):
    """Read from text as well, as variables are."""
    config = made({"optimizer": {"lr": rate}})
    assert config.optimizer.options == {"lr": kept}
    assert type(config.optimizer.options["lr"]) is float
