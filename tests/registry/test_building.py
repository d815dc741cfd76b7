"""Building entries: facts, arguments, options, and what a builder's failure means."""

from __future__ import annotations

from typing import Any

import pytest
from fake_distributions import FakeSite, offering
from torch import nn

import zoo
from zoo.errors import DamagedError, PluginError, UnknownNameError, UsageError
from zoo.registry import Entry, build


def entry_of(target: Any, kind: str = "criteria", **arguments: Any) -> Entry:
    """Return an entry with this builder."""
    return Entry(kind, "net", target, "A net.", arguments, True, "penguin", "zoo-penguin", "1.0")


def built(target: Any, options: dict[str, Any] | None = None, kind: str = "criteria", **facts: Any) -> Any:
    """Build an entry with this builder."""
    return build(entry_of(target, kind), facts=facts, options=options or {})


class Linear(nn.Linear):
    """A model that takes two of the three facts, and an option."""

    def __init__(self, num_classes: int, image_size: tuple[int, int], bias: bool = True) -> None:
        super().__init__(image_size[0] * image_size[1], num_classes, bias)


FACTS = {"num_classes": 5, "in_channels": 1, "image_size": (2, 3)}


def test_a_builder_gets_the_facts_that_it_names_and_the_users_options():
    """The other facts are left out."""
    model = built(Linear, {"bias": False}, "models", **FACTS)
    assert (model.in_features, model.out_features, model.bias) == (6, 5, None)


def test_a_builder_with_any_keyword_gets_all_facts():
    """It asked for them."""
    assert built(lambda **given: given.keys, **FACTS)() == FACTS.keys()


class Given(nn.Module):
    """A model that remembers what it was given."""

    def __init__(self, **given: Any) -> None:
        super().__init__()
        self.given = given


def test_a_fact_that_came_later_is_given_to_whoever_names_it():
    """A builder that passes all keywords on to another package goes on getting those that it was written for."""
    later = {"num_classes": 5, "class_names": ("auk",)}
    assert built(Given, kind="models", **later).given == {"num_classes": 5}

    def named(class_names: tuple[str, ...], **given: Any) -> nn.Module:
        return Given(first=class_names[0], **given)

    assert built(named, kind="models", **later).given == {"first": "auk", "num_classes": 5}


def test_options_override_arguments_and_arguments_override_facts():
    """The nearer to the user, the stronger."""
    entry = entry_of(lambda **given: given.items, num_classes=6, a=1, b=2)
    assert dict(build(entry, facts=FACTS, options={"b": 3})()) == FACTS | {"num_classes": 6, "a": 1, "b": 3}


def test_a_missing_option_is_named_with_how_to_give_it():
    """A builder's required option is the user's to give, in words of the command line."""

    def steps(milestones: list[int]) -> Any: ...

    with pytest.raises(UsageError) as caught:
        built(steps)
    assert str(caught.value) == (
        "criterion 'penguin/net' (zoo-penguin 1.0) needs 'milestones': --set criterion.milestones=VALUE"
    )


def test_a_missing_fact_is_named():
    """From Python, ``zoo.create`` needs the facts that the builder has no default for."""
    with pytest.raises(UsageError, match=r"model 'penguin/net' \(zoo-penguin 1\.0\) needs 'image_size'$"):
        built(Linear, kind="models", num_classes=3)


def _raising(error: BaseException) -> Any:
    def builder(p: float = 0.5) -> None:
        raise error

    return builder


@pytest.mark.parametrize(
    "error", [ValueError("p must be in [0, 1),\n got 2.0"), TypeError("p must be in [0, 1), got 2.0")]
)
def test_a_builder_that_refuses_the_users_options_is_the_users_error(error: Exception):
    """Exit code 2, with the option and the builder's reason on one line."""
    with pytest.raises(UsageError) as caught:
        built(_raising(error), {"p": 2.0})
    assert str(caught.value) == (
        "criterion 'penguin/net' (zoo-penguin 1.0) does not accept p=2.0: p must be in [0, 1), got 2.0"
    )


@pytest.mark.parametrize(
    ("error", "options"), [(ValueError("no"), {}), (KeyError("no"), {"p": 0.1}), (SystemExit(1), {"p": 0.1})]
)
def test_any_other_failure_of_a_builder_is_the_plugins_error(error: BaseException, options: dict[str, Any]):
    """Exit code 3, naming the plugin, the entry and the distribution."""
    with pytest.raises(PluginError, match=r"criterion 'penguin/net' \(zoo-penguin 1\.0\) cannot be built: \w+: "):
        built(_raising(error), options)


def test_an_error_that_zoo_defines_passes_through_a_build():
    """A builder knows best which of zoo's errors it meets."""
    with pytest.raises(DamagedError, match="the file is cut off"):
        built(_raising(DamagedError("the file is cut off")), {"p": 0.1})


@pytest.mark.parametrize(
    ("kind", "result", "message"),
    [
        ("models", None, "must build a torch.nn.Module, and built nothing (None)"),
        ("optimizers", [], "must build a torch.optim.Optimizer, and built a builtins.list"),
        ("schedulers", 1, "must build a torch.optim.lr_scheduler.LRScheduler, and built a builtins.int"),
        ("datasets", (1, 2), "must build a zoo.Dataset, and built a builtins.tuple"),
        ("criteria", "mean", "must build a collections.abc.Callable, and built a builtins.str"),
    ],
)
def test_a_builder_that_returns_something_else_is_named(kind: str, result: object, message: str):
    """Each kind promises a type; a forgotten return is the usual fault."""
    with pytest.raises(PluginError) as caught:
        built(lambda: result, kind=kind)
    assert message in str(caught.value)


_NET = """
from torch import nn

def net(num_classes, drop=0.5):
    return nn.Sequential(nn.Dropout(drop), nn.LazyLinear(num_classes))
"""


def test_create_builds_by_name_with_facts_and_options_together(site: FakeSite, monkeypatch: pytest.MonkeyPatch):
    """``zoo.create`` sorts the keywords itself, and leaves facts out that the builder does not ask for."""
    site.install("penguin", offering("add.model('net', net, summary='A net.')") + _NET)
    monkeypatch.setattr("zoo.registry.api.registry", site.registry)
    model = zoo.create("models", "net", num_classes=3, in_channels=1, drop=0.25)
    assert (model[0].p, model[1].out_features) == (0.25, 3)
    assert [entry.full_name for entry in zoo.entries("model", "n*")] == ["penguin/net"]
    with pytest.raises(UnknownNameError, match="Did you mean 'drop'"):
        zoo.create("models", "net", num_classes=3, dorp=1)
