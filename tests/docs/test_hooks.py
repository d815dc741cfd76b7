"""``docs/reference/hooks.md`` names every hook and every method of ``add``, with the arguments that they have."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from fake_distributions import FakeSite, site  # noqa: F401 - a fixture is found by its name here

import zoo
from zoo.registry import KINDS, hookspec, registry
from zoo.registry.adding import Add, AddEntry

_PAGE = (Path(__file__).parents[2] / "docs/reference/hooks.md").read_text(encoding="utf-8")


def _plain(function: Any) -> str:
    """Return a function's arguments without annotations, as a heading states them."""
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for name, parameter in inspect.signature(function).parameters.items()
        if name != "self"
    ]
    return str(inspect.Signature(parameters))


def _hooks() -> dict[str, Any]:
    return {name: function for name, function in vars(hookspec).items() if hasattr(function, "zoo_spec")}


def test_every_hook_and_method_is_documented_with_its_arguments_and_nothing_else_is():
    """A hook that gains an argument, or is renamed, fails here until the page says so."""
    documented = re.findall(r"^### `(.+)`$", _PAGE, re.MULTILINE)
    hooks = [f"{name}{_plain(function)}" for name, function in _hooks().items()]
    methods = [f"add.{kind.singular}{_plain(AddEntry.__call__)}" for kind in KINDS]
    assert sorted(documented) == sorted(hooks + methods)
    assert len(hooks) == 6


def test_every_argument_of_a_method_is_explained():
    """The table of arguments is whole."""
    for name in inspect.signature(AddEntry.__call__).parameters:
        assert name == "self" or f"| `{name}` |" in _PAGE


def test_the_registrars_annotations_are_the_kinds():
    """What a type checker knows of ``add`` is what it has."""
    assert list(Add.__annotations__) == [kind.singular for kind in KINDS]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.singular)
def test_the_facts_of_a_kind_stand_in_its_section(kind: Any):
    """A builder's author must know what zoo gives."""
    section = _PAGE.partition(f"### `add.{kind.singular}(")[2].partition("\n### ")[0]
    assert all(fact in section for fact in kind.facts)


_WATCHER = """import zoo

told = {}

@zoo.hookimpl
def run_started(run): told["run"] = run

@zoo.hookimpl
def epoch_finished(epoch): told["epoch"] = epoch

@zoo.hookimpl
def checkpoint_saved(checkpoint): told["checkpoint"] = checkpoint

@zoo.hookimpl
def run_failed(error): told["error"] = error
"""


def _documented_keys(argument: str) -> set[str]:
    """Return the names in the first column of the table of an argument's keys."""
    rows = _PAGE.partition(f"| key of `{argument}` | value |\n")[2].partition("\n\n")[0].splitlines()
    return {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}


def test_what_hooks_are_told_is_what_the_page_says(site: FakeSite, tmp_path: Path):  # noqa: F811 - the fixture
    """A run that ends and one that fails, watched by a plugin: the keys are those of the tables."""
    site.install("watcher", _WATCHER)
    registry.cache_clear()
    settings: dict[str, Any] = {"options": {"data.limit": 64}, "epochs": 1, "batch_size": 32}
    zoo.train("mlp/linear", out=tmp_path / "run", **settings)
    with pytest.raises(zoo.ZooError):
        zoo.train("mlp/linear", out=tmp_path / "failed", lr=1e38, optimizer="sgd", **settings)
    told = importlib.import_module("zoo_watcher").told
    registry.cache_clear()
    assert set(told) == {"run", "epoch", "checkpoint", "error"}
    for argument, data in told.items():
        assert set(data) == _documented_keys(argument), argument
