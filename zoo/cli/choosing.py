"""What ``zoo list models`` chooses by: parameters, cost, weights; and the columns that show it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import click

from zoo.cli.output import percent
from zoo.errors import UnknownNameError, UsageError
from zoo.registry import Entry, registry

if TYPE_CHECKING:
    from zoo.registry.catalogue import ModelFacts, SpeedFacts

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9}
Known: TypeAlias = "tuple[Entry, ModelFacts | None]"


class Amount(click.ParamType[int]):
    """A number such as ``5M``, ``500k`` or ``1.8G``."""

    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the number."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgb]?)", str(value).strip().lower())
        if not found:
            self.fail(f"{value!r} is no amount; give one such as 500k, 5M or 1.8G", param, ctx)
        return round(float(found[1]) * _UNITS[found[2]])


class Column(NamedTuple):
    """One column of the table of models.

    Attributes:
        show: Makes the cell's text.
        key: What it is sorted by, ascending; None where there is nothing known.
    """

    show: Callable[[Entry, ModelFacts | None], str]
    key: Callable[[Entry, ModelFacts | None], Any]


def _of_facts(show: Callable[[ModelFacts], str], key: Callable[[ModelFacts], Any]) -> Column:
    return Column(lambda _, facts: show(facts) if facts else "", lambda _, facts: key(facts) if facts else None)


def _of_speed(number: Callable[[SpeedFacts], float]) -> Column:
    """Return a column of images a second, the most first; empty where nothing was measured."""
    return _of_facts(
        lambda facts: f"{number(facts.speed):,.0f}/s" if facts.speed else "",
        lambda facts: -number(facts.speed) if facts.speed else None,
    )


def _of_entry(show: Callable[[Entry], str]) -> Column:
    return Column(lambda entry, _: show(entry), lambda entry, _: show(entry))


def _name(entry: Entry) -> str:
    return registry().short_name(entry) or entry.full_name


COLUMNS: dict[str, Column] = {
    "name": _of_entry(_name),
    "params": _of_facts(lambda facts: in_short(facts.parameters), lambda facts: facts.parameters),
    "macs": _of_facts(lambda facts: in_short(facts.macs), lambda facts: facts.macs),
    "activations": _of_facts(lambda facts: in_short(facts.activations), lambda facts: facts.activations),
    "input": _of_facts(lambda facts: " x ".join(map(str, facts.input_size)), lambda facts: facts.input_size),
    "weights": _of_facts(lambda facts: str(len(facts.weights) or "-"), lambda facts: -len(facts.weights)),
    "accuracy": _of_facts(
        lambda facts: percent(facts.accuracy),
        lambda facts: None if facts.accuracy is None else -facts.accuracy,
    ),
    "training": _of_speed(lambda speed: speed.training),
    "prediction": _of_speed(lambda speed: speed.prediction),
    "licence": _of_facts(
        lambda facts: ", ".join(facts.licences),
        lambda facts: tuple(each.licence for each in facts.weights) or None,
    ),
    "family": _of_facts(lambda facts: facts.family, lambda facts: facts.family),
    "paper": _of_facts(lambda facts: facts.paper, lambda facts: facts.paper or None),
    "plugin": _of_entry(lambda entry: entry.plugin),
    "distribution": _of_entry(lambda entry: f"{entry.distribution} {entry.version}"),
    "summary": _of_entry(lambda entry: entry.summary),
}
CHOSEN_BY = ("name", "params", "macs", "input", "weights", "accuracy", "summary")
"""The columns that are shown where models are chosen by what they cost."""


class Wish(NamedTuple):
    """What was asked of models.

    Attributes:
        params_below: Most trainable numbers.
        macs_below: Most multiply-accumulates for one image.
        pretrained: Whether there must be pretrained weights.
        sort: A column; None for the order of names.
        columns: Which to show, with commas; None for the usual ones.
    """

    params_below: int | None = None
    macs_below: int | None = None
    pretrained: bool = False
    sort: str | None = None
    columns: str | None = None

    def __bool__(self) -> bool:
        return self != Wish()

    @property
    def shown(self) -> list[str]:
        """The names of the columns.

        Raises:
            UnknownNameError: If one is none.
        """
        names = [name.strip() for name in self.columns.split(",")] if self.columns else list(CHOSEN_BY)
        for name in names:
            if name not in COLUMNS:
                raise UnknownNameError("column", name, COLUMNS, "It was given to --columns.")
        return names

    def fulfilled(self, entries: Sequence[Entry]) -> tuple[list[Known], int]:
        """Return the models that fit, sorted, and how many could not be judged for want of facts."""
        from zoo.registry.catalogue import facts_of

        known = [(entry, facts_of(entry)) for entry in entries]
        limits = self.params_below is not None or self.macs_below is not None or self.pretrained
        unjudged = sum(facts is None for _, facts in known) if limits else 0
        fitting = [each for each in known if not limits or (each[1] is not None and self._fits(each[1]))]
        if self.sort:
            key = COLUMNS[self.sort].key
            fitting.sort(key=lambda each: (True,) if (found := key(*each)) is None else (False, found))
        return fitting, unjudged

    def _fits(self, facts: ModelFacts) -> bool:
        return (
            (self.params_below is None or facts.parameters < self.params_below)
            and (self.macs_below is None or facts.macs < self.macs_below)
            and (not self.pretrained or bool(facts.weights))
        )


def rows_of(known: Sequence[Known], names: Sequence[str]) -> list[list[str]]:
    """Return a table's rows."""
    return [[COLUMNS[name].show(*each) for name in names] for each in known]


def check_kind(kind: str | None, wish: Wish) -> None:
    """See that only models are chosen by what they cost.

    Raises:
        UsageError: If another kind is listed.
    """
    if wish and kind != "models":
        raise UsageError(f"only models have parameters, cost and weights; write 'zoo list models', not {kind or ''!r}")


def in_short(number: int) -> str:
    """Return a number as ``11.7 M``: three digits and a unit."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= 0.9995 * size:  # from there on three digits are those of the unit
            return f"{number / size:.3g} {unit}" if number < 999.5 * size else f"{number / size:,.0f} {unit}"
    return str(number)
