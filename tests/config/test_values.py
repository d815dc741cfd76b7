"""Single values: what is read from text, what is refused, and that every refusal is a line that names the key."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.config import (
    Config,
    Interval,
    Layer,
    TrainSettings,
    checked_value,
    flattened,
    nested,
    parse_assignment,
    read_toml,
)
from zoo.errors import UsageError

FIELDS = {setting.name: setting for setting in dataclasses.fields(TrainSettings)}

numbers = st.integers() | st.floats() | st.sampled_from([10**400, -(10**400), 2**63, 1e308])
values = st.none() | st.booleans() | numbers | st.text() | st.lists(numbers, max_size=2)
values |= numbers.map(str) | st.sampled_from(["auto", "loss", "1epoch", "yes", "9" * 5000, " 7 ", "1e400", "nan"])


def kept_or_refused(name: str, value: Any) -> tuple[Any, str]:
    try:
        return checked_value(FIELDS[name], value, "run.toml"), ""
    except UsageError as error:
        return None, str(error)


@settings(max_examples=400)
@given(st.sampled_from(list(FIELDS)), values)
def test_any_value_is_kept_or_refused_in_a_line(name: str, value: Any):
    """And what is kept is kept again, as it is and as text: a run's config.toml repeats the run."""
    kept, refusal = kept_or_refused(name, value)
    if refusal:
        assert refusal.startswith(f"run.toml: train.{name} must be ")
        assert len(refusal.splitlines()) == 1
        return
    assert checked_value(FIELDS[name], kept, "again") == kept
    if kept is not None:
        assert checked_value(FIELDS[name], str(kept), "as text") == kept


@pytest.mark.parametrize("setting", FIELDS.values(), ids=FIELDS)
def test_a_default_keeps_its_own_rule(setting: dataclasses.Field[Any]):
    """Else a file that states it would be refused."""
    assert checked_value(setting, setting.default, "the default") == setting.default


KEPT = [
    ("epochs", "3", 3),
    ("epochs", " +3 ", 3),
    ("validation", "0.25", 0.25),
    ("validation", "250", 250),
    ("validation", 0, 0),
    ("compile", "Yes", True),
    ("compile", "off", False),
    ("compile", "1", True),
    ("freeze", "2", 2),
    ("freeze", "blocks.*,stem", "blocks.*,stem"),
    ("clip_norm", "1e-3", 1e-3),
    ("clip_norm", 2, 2.0),
    ("ema", 0, 0.0),
    ("layer_decay", 1, 1.0),
    ("threads", None, None),
    ("checkpoint_every", "10min", "10min"),
    ("seed", 2**63 - 1, 2**63 - 1),
]


@pytest.mark.parametrize(("name", "value", "kept"), KEPT)
def test_text_is_read_as_what_the_setting_is(name: str, value: Any, kept: Any):
    """From a variable, a flag and ``--set`` alike; the type counts, too."""
    found = checked_value(FIELDS[name], value, "--set")
    assert (found, type(found)) == (kept, type(kept))


REFUSED = [
    ("epochs", 0, "a whole number of at least 1"),
    ("epochs", "2.0", "a whole number of at least 1"),
    ("epochs", True, "a whole number of at least 1"),
    ("epochs", None, "a whole number of at least 1"),
    ("epochs", 10**400, "a whole number of at least 1"),
    ("epochs", "9" * 5000, "a whole number of at least 1"),
    ("validation", 1.0, "a whole number, or a fraction from 0 to below 1"),
    ("validation", -1, "a whole number, or a fraction from 0 to below 1"),
    ("validation", "nan", "a whole number, or a fraction from 0 to below 1"),
    ("seed", 2**63, "a whole number from 0 to 2**63 - 1"),
    ("threads", 1025, "a whole number from 1 to 1024"),
    ("clip_norm", 0, "a number above 0"),
    ("clip_norm", "inf", "a number above 0"),
    ("clip_norm", 10**400, "a number above 0"),
    ("ema", 1, "a number from 0 to below 1"),
    ("layer_decay", 0, "a number above 0, at most 1"),
    ("balance", 1.5, "a number from 0 to 1"),
    ("freeze", -1, "a whole number, or patterns of names"),
    ("freeze", "", "a whole number, or patterns of names"),
    ("precision", "fp64", "one of auto, fp32, bf16, fp16"),
    ("precision", ["fp32"], "one of auto, fp32, bf16, fp16"),
    ("checkpoint_every", "0epoch", "such as 1epoch, 200steps or 10min"),
    ("checkpoint_every", "every epoch", "such as 1epoch, 200steps or 10min"),
    ("compile", "perhaps", "true or false"),
    ("compile", 2, "true or false"),
]


@pytest.mark.parametrize(("name", "value", "rule"), REFUSED, ids=lambda value: f"{value!s:.20}")
def test_a_value_against_the_rule_is_refused_with_it(name: str, value: Any, rule: str):
    """The rule says what would be right, and the message where the wrong one stands."""
    with pytest.raises(UsageError) as caught:
        checked_value(FIELDS[name], value, "run.toml")
    assert str(caught.value).startswith(f"run.toml: train.{name} must be {rule}, not ")


@pytest.mark.parametrize(
    ("text", "amount", "unit", "written"),
    [
        ("1epoch", 1, "epoch", "1epoch"),
        ("12 epochs", 12, "epoch", "12epoch"),
        ("1step", 1, "steps", "1steps"),
        ("200steps", 200, "steps", "200steps"),
        (" 10 minutes ", 10, "min", "10min"),
    ],
)
def test_an_interval_is_read_in_words(text: str, amount: int, unit: str, written: str):
    """One or several, and written in one form that is read again."""
    interval = Interval.parse(text)
    assert interval == Interval(amount, unit) == Interval.parse(written)
    assert str(interval) == written


keys = st.lists(st.text("abcz_-", min_size=1, max_size=5), min_size=2, max_size=4).map(".".join)


@given(keys, st.integers() | st.text() | st.booleans() | st.lists(st.integers(), max_size=3))
def test_a_dotted_key_becomes_tables_and_comes_back(key: str, value: Any):
    """``model.p`` is p in the table model, however deep."""
    assert flattened(nested(key, value)) == {key: value}


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("model.p=0.5", {"model": {"p": 0.5}}),
        (" model.p = 0.5 ", {"model": {"p": 0.5}}),
        ("data.root=a=b", {"data": {"root": "a=b"}}),
        ("data.root=", {"data": {"root": ""}}),
        ("data.root='x, y'", {"data": {"root": "x, y"}}),
        ("model.expects.mean=[0.5, 0.25]", {"model": {"expects": {"mean": [0.5, 0.25]}}}),
        ("train.compile=true", {"train": {"compile": True}}),
        ("data.root=[unclosed", {"data": {"root": "[unclosed"}}),
        (f"data.root={'9' * 5000}", {"data": {"root": "9" * 5000}}),
    ],
    ids=lambda value: f"{value!s:.30}",
)
def test_an_assignment_is_toml_or_text(text: str, table: dict[str, Any]):
    """What TOML cannot read is meant as it stands, so that paths need no quotes."""
    assert parse_assignment(text) == table


@pytest.mark.parametrize("text", ["p", "p=1", "model.=1", ".p=1", "=1", "", "model..p=1"])
def test_an_assignment_without_a_whole_key_is_refused(text: str):
    """With an example of what is one."""
    with pytest.raises(UsageError, match=r"such as '?model\.p"):
        parse_assignment(text)


UNREADABLE = {
    "no such file": (None, "no configuration file"),
    "no TOML": (b"epochs 3", "is not TOML: "),
    "a key twice": (b"a = 1\na = 2", "is not TOML: "),
    "no UTF-8": (b'name = "\xe4"', "is not TOML: "),
    "a number that is too long": (b"a = " + b"9" * 5000, "is not TOML: "),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_a_file_that_cannot_be_read_is_named_in_a_line(tmp_path: Path, case: str):
    """Whatever is wrong with it."""
    content, told = UNREADABLE[case]
    path = tmp_path / "run.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_toml(path)
    assert str(path) in str(caught.value)
    assert told in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_folder_in_place_of_a_file_and_a_file_in_place_of_a_folder(tmp_path: Path):
    """Two typing errors that the system tells apart, and both are wrong usage."""
    with pytest.raises(UsageError, match="cannot read the configuration file"):
        read_toml(tmp_path)
    (tmp_path / "run.toml").write_text("")
    with pytest.raises(UsageError, match="no configuration file"):
        read_toml(tmp_path / "run.toml" / "run.toml")


def test_an_editor_s_mark_at_the_begin_is_read_over(tmp_path: Path):
    """Windows' editors write it."""
    (tmp_path / "run.toml").write_text('\ufeff[model]\nname = "mlp"\n', encoding="utf-8")
    assert read_toml(tmp_path / "run.toml") == {"model": {"name": "mlp"}}


WRONG_TABLES = [
    ({"modle": {"name": "mlp"}}, "no section named 'modle'. Did you mean 'model'? It stands in run.toml."),
    ({"model": "mlp"}, "run.toml: model must be a table such as [model], not 'mlp'"),
    ({"train": {"epoch": 3}}, "no key named 'train.epoch'. Did you mean 'train.epochs' or "),
    ({"train": {"epochs": "many"}}, "run.toml: train.epochs must be a whole number of at least 1, not 'many'"),
    ({"optimizer": {"lr": 0}}, "run.toml: optimizer.lr must be a number above 0, not 0"),
    ({"optimizer": {"lr": "fast"}}, "run.toml: optimizer.lr must be a number above 0, not 'fast'"),
    ({"optimizer": {"lr": True}}, "run.toml: optimizer.lr must be a number above 0, not True"),
    ({"optimizer": {"lr": float("nan")}}, "run.toml: optimizer.lr must be a number above 0, not nan"),
    ({"optimizer": {"lr": 10**400}}, "run.toml: optimizer.lr must be a number above 0, not 1000"),
    ({"data": {"limit": 0}}, "run.toml: data.limit must be a whole number of at least 1, not 0"),
    ({"data": {"limit": 1.5}}, "run.toml: data.limit must be a whole number of at least 1, not 1.5"),
    ({"data": {"limit": True}}, "run.toml: data.limit must be a whole number of at least 1, not True"),
]


@pytest.mark.parametrize(("table", "told"), WRONG_TABLES, ids=lambda value: f"{value!s:.40}")
def test_a_wrong_table_of_a_file_is_told_with_the_file(table: dict[str, Any], told: str):
    """Before anything starts, in a line that says where it stands."""
    with pytest.raises(UsageError) as caught:
        Config.from_layers([Layer("run.toml", {"model": {"name": "mlp"}}), Layer("run.toml", table)])
    assert str(caught.value).replace("\n", " ").startswith(told)
