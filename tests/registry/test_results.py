"""Measured results that a plugin ships are read, grouped and told with where they come from."""

from __future__ import annotations

import sys

import pytest

from zoo.registry import Entry
from zoo.registry.results import results_of

ROWS = """model,data,settings,seed,epochs,parameters,seconds,accuracy,source
penguin/net,mnist/mnist,,0,5,100,3.0,0.9800,a machine
penguin/net,mnist/mnist,,1,5,100,4.0,0.9900,another one
penguin/net,mnist/mnist,--recipe best,0,9,100,8.0,0.9950,a machine
penguin/other,mnist/mnist,,0,5,100,3.0,0.5000,a machine
"""


def entry(target: str) -> Entry:
    return Entry("models", "net", target, "A net.", {}, True, "penguin", "zoo-penguin", "1.0")


@pytest.fixture
def package(tmp_path, monkeypatch):
    (tmp_path / "zoo_penguin_results").mkdir()
    (tmp_path / "zoo_penguin_results" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "zoo_penguin_results", raising=False)
    return tmp_path / "zoo_penguin_results"


def test_results_are_gathered_over_seeds(package):
    """Runs that differ in the seed alone are one result, with mean and spread; another model's are left out."""
    (package / "results.csv").write_text(ROWS)
    plain, best = results_of(entry("zoo_penguin_results.nets:net"))
    assert plain.source == "a machine; another one"
    assert (plain.seeds, plain.mean) == (2, pytest.approx(0.985))
    assert plain.spread == pytest.approx(0.00707, rel=1e-3)
    assert best.spread is None
    assert str(best) == "99.50 % on mnist/mnist, --recipe best (1 seed, 9 epochs; a machine)"


def test_a_plugin_without_results_has_none(package):
    """Most plugins ship no results, and some targets are no names."""
    assert results_of(entry("zoo_penguin_results.nets:net")) == []
    assert results_of(entry(len)) == []
