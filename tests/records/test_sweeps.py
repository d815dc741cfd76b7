"""The record of a sweep: what is read is what was written, and damage is told with its file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.config import Config, Layer
from zoo.errors import DamagedError, UsageError
from zoo.records.sweeps import SWEEP, SweepRecord, holds_sweep, read_sweep, score_of, write_sweep
from zoo.sweeps.folder import SweepFolder

CONFIG = Config.from_layers([Layer("test", {"model": {"name": "mlp/mlp", "p": 0.5}, "train": {"epochs": 3}})])
SETTINGS = st.dictionaries(
    st.sampled_from(["optimizer.lr", "model.p", "train.seed"]),
    st.one_of(st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), st.text(), st.booleans()),
)


@settings(max_examples=15)
@given(runs=st.lists(SETTINGS, max_size=4))
def test_a_record_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, runs: list[dict[str, Any]]):
    """Any texts and numbers, in their order, and the common settings with them."""
    path = tmp_path_factory.mktemp("sweep")
    names = [f"trial-{number}" for number in range(len(runs))]
    written = SweepRecord({"kind": "search", "space": {"a": [1, 2]}}, CONFIG, names, runs)
    write_sweep(path, written)
    assert read_sweep(path) == written
    assert read_sweep(path).kind == "search"
    text = (path / SWEEP).read_bytes()
    write_sweep(path, read_sweep(path))
    assert (path / SWEEP).read_bytes() == text


def test_only_a_folder_with_a_record_is_a_sweep(tmp_path: Path):
    """Not one in which a folder has the record's name."""
    assert not holds_sweep(tmp_path)
    (tmp_path / SWEEP).mkdir()
    assert not holds_sweep(tmp_path)
    (tmp_path / SWEEP).rmdir()
    write_sweep(tmp_path, SweepRecord({}, CONFIG, [], []))
    assert holds_sweep(tmp_path)


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in complete().items() if name != key}


def complete(**changed: Any) -> dict[str, Any]:
    whole = {"schema": 1, "question": {"kind": "seeds"}, "config": CONFIG.to_dict(), "names": ["a"], "runs": [{}]}
    return {**whole, **changed}


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ([], "TypeError"),
        (without("config"), "'config'"),
        (without("names"), "'names'"),
        (without("runs"), "'runs'"),
        (without("question"), "'question'"),
        (complete(names=[]), "0 names of 1 runs"),
        (complete(names=["a", "b"]), "2 names of 1 runs"),
        (complete(runs=[5]), "TypeError"),
        (complete(names=5), "TypeError"),
        (complete(question="seeds"), "ValueError"),
    ],
)
def test_a_record_of_another_form_is_damaged(tmp_path: Path, document: Any, told: str):
    """The file is named, and what is wrong with it."""
    (tmp_path / SWEEP).write_text(json.dumps(document))
    with pytest.raises(DamagedError) as caught:
        read_sweep(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / SWEEP} is damaged: ")
    assert told in str(caught.value)


def test_a_record_that_is_gone_or_no_json_is_damaged(tmp_path: Path):
    """Exit code 4, as of any record."""
    with pytest.raises(DamagedError, match="is missing"):
        read_sweep(tmp_path)
    (tmp_path / SWEEP).write_text("{")
    with pytest.raises(DamagedError, match="not valid JSON"):
        read_sweep(tmp_path)


@pytest.mark.parametrize(("select", "score"), [("accuracy", 0.75), ("balanced", 0.5), ("loss", -0.25)], ids=str)
def test_a_higher_score_is_better_whatever_is_selected_by(select: str, score: float):
    """A loss counts the other way round."""
    measures = {"val_accuracy": 0.75, "val_balanced_accuracy": 0.5, "val_loss": 0.25}
    assert score_of(measures, select) == score
    assert score_of({**measures, "val_accuracy": 0, "val_balanced_accuracy": 0, "val_loss": 0}, select) == 0
    assert score_of({}, select) is None
    assert score_of(dict.fromkeys(measures), select) is None


QUESTION = {"kind": "folds", "folds": 3}


def test_a_folder_goes_on_with_what_it_was_given(tmp_path: Path):
    """Names and settings of the runs that began, in their order."""
    folder = SweepFolder(tmp_path / "deep" / "sweep", QUESTION, CONFIG)
    folder.open()
    folder.given("fold-1", lambda: {"train.fold": "1/3"})
    folder.given("fold-2", lambda: {"train.fold": "2/3"})
    again = SweepFolder(folder.path, QUESTION, CONFIG)
    again.open()
    assert again.given("fold-2", lambda: {"train.fold": "9/9"}) == {"train.fold": "2/3"}
    assert again.given("fold-4", lambda: None) is None
    again.given("fold-3", lambda: {"train.fold": "3/3"})
    assert read_sweep(folder.path).names == ["fold-1", "fold-2", "fold-3"]
    assert again.directory("fold-3") == folder.path / "fold-3"


def test_what_was_given_is_kept_as_it_was_then(tmp_path: Path):
    """A searcher that goes on changing its proposal changes no record."""
    folder = SweepFolder(tmp_path / "sweep", QUESTION, CONFIG)
    folder.open()
    settings = {"optimizer.lr": 0.1}
    folder.given("a", lambda: settings)
    settings["optimizer.lr"] = 0.2
    folder.given("b", dict)
    assert read_sweep(folder.path).runs == [{"optimizer.lr": 0.1}, {}]


@pytest.mark.parametrize(
    ("question", "layer", "told"),
    [
        ({"kind": "folds", "folds": 4}, {}, "folds"),
        ({"kind": "seeds"}, {}, "kind"),
        (QUESTION, {"train": {"epochs": 4}}, "train.epochs"),
        (QUESTION, {"model": {"p": 0.25}}, "model.p"),
    ],
)
def test_another_sweep_is_not_gone_on_with(tmp_path: Path, question: Any, layer: Any, told: str):
    """What differs is named, and what to do."""
    first = SweepFolder(tmp_path / "sweep", QUESTION, CONFIG)
    first.open()
    first.given("a", dict)
    other = Config.from_layers([Layer("test", CONFIG.to_dict()), Layer("other", layer)])
    with pytest.raises(UsageError) as caught:
        SweepFolder(first.path, question, other).open()
    said, cure = str(caught.value).split("\n")
    assert said.startswith(f"{first.path} holds another sweep: ")
    assert told in said
    assert cure == "Give another --out."


@pytest.mark.parametrize("name", ["config.toml", "holiday.png"])
def test_a_folder_with_something_else_is_left_alone(tmp_path: Path, name: str):
    """A single run, or anybody's files."""
    (tmp_path / name).write_text("")
    with pytest.raises(UsageError, match="exists and holds something else than a sweep; give another --out"):
        SweepFolder(tmp_path, QUESTION, CONFIG).open()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_record_is_forgotten_only_where_no_run_began(tmp_path: Path):
    """A command that was refused may be mended; runs that are there are somebody's work."""
    folder = SweepFolder(tmp_path / "sweep", QUESTION, CONFIG)
    folder.open()
    folder.forget()
    folder.given("a", dict)
    folder.directory("a").mkdir()
    folder.forget()
    assert not holds_sweep(folder.path)
    folder.given("b", dict)
    (folder.directory("a") / "config.toml").write_text("")
    folder.forget()
    assert holds_sweep(folder.path)
