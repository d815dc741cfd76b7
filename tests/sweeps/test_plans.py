"""Plans of sweeps and what they came to: names, settings, means and ranks, from outcomes alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.sweeps.folds import Folds
from zoo.sweeps.result import SweepResult
from zoo.sweeps.runs import Outcome
from zoo.sweeps.search import ranked
from zoo.sweeps.seeds import Seeds, means


def outcome(number: int, accuracy: float | None, status: str = "finished", **summary: Any) -> Outcome:
    said = {"status": status, "val_accuracy": accuracy, **summary}
    return Outcome(number, f"trial-{number:03}", {"optimizer.lr": 0.1}, Path("sweep") / str(number), said)


@pytest.mark.parametrize(("first", "count"), [(0, 3), (7, 2), (-1, 2)])
def test_seeds_follow_one_another(first: int, count: int):
    """A run's name says its seed."""
    plan = Seeds(first, count)
    assert [plan.ask(number) for number in range(count)] == [{"train.seed": first + number} for number in range(count)]
    assert [plan.name(number) for number in range(count)] == [f"seed-{first + number}" for number in range(count)]


def test_folds_are_counted_from_one():
    """As --fold is given."""
    plan = Folds(3)
    assert [(plan.name(number), plan.ask(number)) for number in range(3)] == [
        ("fold-1", {"train.fold": "1/3"}),
        ("fold-2", {"train.fold": "2/3"}),
        ("fold-3", {"train.fold": "3/3"}),
    ]


@settings(max_examples=50)
@given(st.lists(st.none() | st.sampled_from([0.0, 0.25, 0.5, 1.0]), max_size=8), st.randoms())
def test_trials_are_ranked_by_score_then_by_number_whatever_the_order(scores: list[float | None], random: Any):
    """They end in any order where several go at a time; one without validation has no rank, one with 0 has."""
    outcomes = [outcome(number, score) for number, score in enumerate(scores)]
    expected = sorted(
        (number for number, score in enumerate(scores) if score is not None),
        key=lambda number: (-(scores[number] or 0.0), number),
    )
    random.shuffle(outcomes)
    assert [each.number for each in ranked(outcomes)] == expected


def test_the_score_is_by_what_the_run_selects_by():
    """The least loss is the best; a run that did not finish has none."""
    low = outcome(0, 0.5, select="loss", val_loss=0.1)
    high = outcome(1, 0.9, select="loss", val_loss=0.2)
    failed = outcome(2, 0.99, status="failed")
    assert ranked([high, failed, low]) == [low, high]
    assert failed.score is None
    assert outcome(3, 0.75).score == 0.75


def test_means_are_of_what_every_run_has():
    """A loss that one of them lacks is no mean of the others."""
    found = means([outcome(0, 0.5, test_loss=1.0), outcome(1, 1.0, test_loss=None)])
    assert found.keys() == {"val_accuracy"}
    assert (found["val_accuracy"].value, found["val_accuracy"].count) == (0.75, 2)


@pytest.mark.parametrize("kind", ["seeds", "folds", "search"])
def test_a_result_tells_a_mean_or_a_best_trial(kind: str):
    """A search has no mean, and seeds have no best: which one was lucky says nothing."""
    runs = (outcome(0, 0.5), outcome(1, 0.75), outcome(2, 0.99, status="failed"))
    result = SweepResult(Path("sweep"), kind, runs)
    assert result.finished == runs[:2]
    document = result.document()
    assert document["best"] == ("trial-001" if kind == "search" else None)
    assert set(document["mean"]) == (set() if kind == "search" else {"val_accuracy"})
    assert len(document["runs"]) == 3
    assert document["out_of_fold"] is None


def test_a_sweep_of_which_nothing_finished_came_to_nothing():
    """Neither mean nor best."""
    for kind in ("seeds", "search"):
        result = SweepResult(Path("sweep"), kind, (outcome(0, None, status="failed"),))
        assert (result.best, dict(result.mean), result.finished) == (None, {}, ())
