"""The first-party searchers and pruners."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zoo_search.pruners import Halving
from zoo_search.searchers import Grid, Random

from zoo.sweeps.curves import Curve
from zoo.sweeps.space import Choices, Range

SPACE = {"a.x": Choices((1, 2)), "b.x": Range(0.0, 1.0)}


def test_a_grid_has_every_combination_once():
    """The last key moves fastest, and there is an end."""
    grid = Grid(SPACE, points=3)
    asked = [grid.ask(number) for number in range(grid.size)]
    assert asked == [{"a.x": a, "b.x": b} for a in (1, 2) for b in (0.0, 0.5, 1.0)]
    assert grid.ask(grid.size) is None
    with pytest.raises(ValueError, match="points must be at least 1, not 0"):
        Grid(SPACE, points=0)


def test_random_draws_hang_on_seed_number_and_key_alone():
    """Another key in the space changes none of the others."""
    assert Random(SPACE, 0).ask(3) == Random(SPACE, 0).ask(3) != Random(SPACE, 0).ask(4)
    assert Random(SPACE, 0).ask(3) != Random(SPACE, 1).ask(3)
    wider = Random({"0.x": Range(0.0, 1.0), **SPACE}, 0).ask(3)
    assert {key: wider[key] for key in SPACE} == Random(SPACE, 0).ask(3)
    draws = [Random(SPACE, 0).ask(number)["b.x"] for number in range(400)]
    assert 0.45 < sum(draws) / len(draws) < 0.55


def curves(*scores: list[float]) -> list[Curve]:
    return [Curve(tuple(each)) for each in scores]


def test_halving_ends_trials_at_rungs_alone():
    """With reduction 3 these are epochs 1, 3 and 9."""
    worse, others = [0.1] * 9, curves(*[[0.5] * 9] * 5)
    assert [epoch for epoch in range(1, 10) if not Halving().keeps(worse[:epoch], others)] == [1, 3, 9]
    late = Halving(first=2, reduction=2)
    assert [epoch for epoch in range(1, 10) if not late.keeps(worse[:epoch], others)] == [2, 4, 8]


@pytest.mark.parametrize(("count", "going_on"), [(1, 1), (2, 1), (3, 1), (5, 1), (6, 2), (9, 3), (11, 3)])
def test_halving_lets_a_share_go_on(count: int, going_on: int):
    """One of three, rounded down, and at least one, of those that came to the rung, this one among them."""
    scores = [number / 20 for number in range(count)]
    kept = [own for own in scores if Halving().keeps([own], curves(*([other] for other in scores if other != own), []))]
    assert kept == scores[count - going_on :]


def test_halving_compares_the_best_until_the_rung():
    """Not what came later; a trial that was ended before counts for the rungs that it came to."""
    assert Halving().keeps([0.5, 0.1, 0.1], curves([0.1, 0.4, 0.4, 0.9]))
    assert not Halving().keeps([0.5, 0.1, 0.1], curves([0.1, 0.4, 0.6, 0.9]))
    assert not Halving().keeps([0.5], curves([0.6]))
    assert Halving().keeps([0.5, 0.5, 0.5], curves([0.6]))


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=12))
def test_the_best_and_its_equals_always_go_on(scores: list[float]):
    """However many there are."""
    best = max(scores)
    for place, own in enumerate(scores):
        others = curves(*([score] for other, score in enumerate(scores) if other != place))
        assert Halving().keeps([own], others) or own < best


@pytest.mark.parametrize("options", [{"reduction": 1}, {"first": 0}])
def test_halving_refuses_what_is_no_rung(options: dict[str, int]):
    """In its own words."""
    with pytest.raises(ValueError, match="reduction must be at least 2 and first at least 1"):
        Halving(**options)
