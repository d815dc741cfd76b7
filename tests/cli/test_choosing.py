"""``zoo list models`` by what models cost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fake_distributions import FakeSite, offering


def stated(parameters: int, macs: int, weights: str = "[]") -> str:
    return (
        f"facts={{'parameters': {parameters}, 'macs': {macs}, 'activations': 5, 'input_size': (3, 8, 8), "
        f"'family': 'auks', 'weights': {weights}}}"
    )


@pytest.fixture(autouse=True)
def plugins(site: FakeSite) -> None:
    """Three models of known cost, one with weights, and one of which nothing is known."""
    known = "[{'tag': 'v1', 'licence': 'MIT', 'accuracy': 0.7}, {'tag': 'v2', 'licence': 'MIT', 'accuracy': 0.8}]"
    calls = [
        f"add.model('large', 'a:b', summary='Large.', {stated(7_000_000, 900)})",
        f"add.model('middle', 'a:b', summary='Middle.', {stated(5_000_000, 2_000_000, known)})",
        f"add.model('small', 'a:b', summary='Small.', {stated(1_500, 1_000)})",
        "add.model('unknown', 'a:b', summary='Unknown.')",
        "add.optimizer('sgd', 'a:b', summary='Descent.')",
    ]
    site.install("auk", offering(*calls))


def names(done: Any) -> list[str]:
    assert done.code == 0, done.err
    return [line.split()[0] for line in done.out.splitlines()]


def test_limits_are_exclusive_and_what_is_unknown_is_told(zoo: Any):
    """A model of which nothing is known may or may not fit."""
    done = zoo("list", "models", "--params-below", "5M")
    assert names(done) == ["small"]
    assert "of 1 more nothing is known" in done.err
    assert names(zoo("list", "models", "--params-below", "5.1M", "--macs-below", "1.5k")) == ["small"]


def test_models_with_weights_alone(zoo: Any):
    """The best published accuracy stands beside them."""
    done = zoo("list", "models", "--pretrained")
    assert done.out.split()[:1] == ["middle"]
    assert "80.00 %" in done.out


@pytest.mark.parametrize(
    ("column", "order"),
    [
        ("params", ["small", "middle", "large", "unknown"]),
        ("macs", ["large", "small", "middle", "unknown"]),
        ("accuracy", ["middle", "large", "small", "unknown"]),
        ("weights", ["middle", "large", "small", "unknown"]),
        ("name", ["large", "middle", "small", "unknown"]),
    ],
)
def test_sorting_puts_the_unknown_last(zoo: Any, column: str, order: list[str]):
    """The least cost first, and the best accuracy."""
    assert names(zoo("list", "models", "--sort", column)) == order


def test_columns_are_chosen(zoo: Any):
    """In the order in which they were given."""
    done = zoo("list", "models", "small", "--columns", "params, name,family")
    assert done.out.split() == ["1.5", "k", "small", "auks"]


def test_json_has_the_facts(zoo: Any):
    """None where nothing is known."""
    entries = json.loads(zoo("list", "models", "--sort", "params", "--json").out)["entries"]
    assert [entry["facts"] and entry["facts"]["parameters"] for entry in entries] == [1500, 5_000_000, 7_000_000, None]


def test_no_model_fits(zoo: Any):
    """Nothing on stdout, a line on stderr."""
    done = zoo("list", "models", "--params-below", "1k")
    assert (done.code, done.out) == (0, "")
    assert "none of 4 models fits" in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("models", "--params-below", "5x"), "'5x' is no amount; give one such as 500k, 5M or 1.8G"),
        (("models", "--columns", "parms"), "no column named 'parms'. Did you mean 'params'"),
        (("optimizers", "--pretrained"), "only models have parameters, cost and weights"),
        (("--pretrained",), "only models have parameters, cost and weights"),
    ],
)
def test_wrong_wishes_are_told(zoo: Any, arguments: tuple[str, ...], message: str):
    """Exit code 2, and what to write."""
    done = zoo("list", *arguments)
    assert done.code == 2
    assert message in done.err


def test_show_prints_what_a_model_costs(zoo: Any, site: FakeSite):
    """And each set of weights with its licence and published accuracy."""
    (site.path / "a.py").write_text("def b(num_classes, in_channels):\n    pass\n")
    lines = [line.split() for line in zoo("show", "model", "middle").out.splitlines()]
    assert ["5,000,000", "parameters;", "for", "one", "image", "of", "3", "x", "8", "x", "8:"] in lines
    assert ["v2", "MIT", "80.00", "%", "on", "ImageNet"] in lines
    costs = json.loads(zoo("show", "model", "middle", "--json").out)["entry"]["costs"]
    assert (costs["macs"], costs["weights"][0]["tag"]) == (2_000_000, "v1")
