"""The first-party searchers."""

from __future__ import annotations

import pytest
from zoo_search.searchers import Grid, Random

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
