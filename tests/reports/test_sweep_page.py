"""The page of a sweep: what it tells of seeds, folds and searches, from their files alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from written_sweeps import small_search, sweep_of

import zoo
from zoo.cli import main
from zoo.errors import DamagedError
from zoo.records.claims import Claims
from zoo.reports.importances import LEAST, explained
from zoo.reports.sweep_story import sweep_story_of

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def search(tmp_path: Path) -> Path:
    """Ten trials that hang on the rate alone, and one that failed."""
    return small_search(tmp_path / "s", EVIL)


def test_a_search_s_page_ranks_by_validation_and_tells_what_mattered(search: Path):
    """The rate explains all there is, the other setting nothing; the best is marked once a panel."""
    document = sweep_story_of(search).document
    assert (document["best"], document["headline"]["value"]) == ("run-0", 0.9)
    assert [each["key"] for each in document["settings"]] == ["optimizer.lr", "model.act"]
    assert document["settings"][0]["explained"] > 0.9
    assert document["settings"][1]["explained"] == 0
    assert "1 of 11 runs did not come to their end: run-10" in document["warnings"][0]["text"]
    page = zoo.report(search).read_text()
    assert page.count('class="chosen"') == 2
    assert page.index(">run-0<") < page.index(">run-5<") < page.index(">run-1<") < page.index(">run-10<")


def test_a_search_shows_the_test_accuracy_of_its_best_alone(search: Path):
    """What ranks is the validation; twenty test accuracies beside it would be looked at."""
    document = sweep_story_of(search).document
    assert "45.00 %" in document["headline"]["words"]
    assert all("test_accuracy" not in run for run in document["runs"])


def test_what_is_written_is_text_and_is_written_again_with_equal_bytes(search: Path):
    """Whatever a setting is called."""
    page = zoo.report(search)
    before = [page.read_bytes(), page.with_suffix(".json").read_bytes()]
    assert EVIL.encode() not in before[0]
    assert "unsafe-inline" not in page.read_text()
    page.unlink()
    assert main(["report", str(search)]) == 0
    assert [page.read_bytes(), page.with_suffix(".json").read_bytes()] == before


def test_seeds_are_told_by_their_mean(tmp_path: Path):
    """With its interval, Student's t over the seeds."""
    settings = [{"train.seed": seed} for seed in range(3)]
    path = sweep_of(tmp_path / "s", {"kind": "seeds"}, settings, [0.8, 0.9, 0.82])
    document = sweep_story_of(path).document
    assert document["headline"]["what"] == "mean test accuracy"
    assert document["headline"]["value"] == pytest.approx(0.42)
    half = 4.302653 * np.std([0.4, 0.45, 0.41], ddof=1) / np.sqrt(3)
    assert document["headline"]["interval"] == pytest.approx([0.42 - half, 0.42 + half], abs=1e-6)
    assert "several seeds" in zoo.report(path).read_text()


def test_a_sweep_that_goes_on_is_told_so_far(tmp_path: Path):
    """Also where no run is finished yet, or one is damaged."""
    path = sweep_of(tmp_path / "s", {"kind": "folds", "folds": 2}, [{"train.fold": "1/2"}], [None])
    claims = Claims(path)
    claims.take("run-0")
    document = sweep_story_of(path).document
    assert [document["status"], document["runs"][0]["status"]] == ["running", "running"]
    claims.release("run-0")
    assert sweep_story_of(path).document["status"] == "finished"
    assert "No run is finished yet" in zoo.report(path).read_text()
    (path / "run-0").mkdir()
    (path / "run-0" / "config.toml").write_text("")
    (path / "run-0" / "summary.json").write_text("{")
    assert sweep_story_of(path).document["runs"][0]["status"] == "damaged"


def test_a_damaged_record_is_told(search: Path):
    """With the file's name."""
    (search / "sweep.json").write_text("{}")
    with pytest.raises(DamagedError, match=r"sweep\.json is damaged"):
        zoo.report(search)


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 1)), max_size=30))
def test_what_is_explained_is_a_share_or_unknown(trials: list[tuple[int, float]]):
    """However few or equal the trials are."""
    share = explained([value for value, _ in trials], [score for _, score in trials])
    assert share is None or 0 <= share <= 1
    if len(trials) < LEAST or len({score for _, score in trials}) == 1:
        assert share is None


def test_chance_explains_nothing_on_average():
    """Values that have nothing to do with the scores: the mean share is small, where the raw one would be a fifth."""
    draws = np.random.default_rng(0)
    shares = [explained(draws.random(16).tolist(), draws.random(16).tolist()) or 0.0 for _ in range(200)]
    assert np.mean(shares) < 0.1
    values = draws.random(40)
    assert (explained(values.tolist(), (values + 0.01 * draws.random(40)).tolist()) or 0) > 0.8
