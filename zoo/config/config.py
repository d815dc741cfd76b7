"""All that defines a run: the names of its parts, their options, and how it is trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from zoo.config.layers import Layer, merge
from zoo.config.sections import DATA_LIMIT, MEANING, SCHEMA, SEVERAL, SINGLE
from zoo.config.settings import TrainSettings
from zoo.errors import UsageError


@dataclass(frozen=True)
class Choice:
    """A registered entry by name, with the options for its builder."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Config:
    """All that defines a run.

    Raises:
        UsageError: From `from_layers`, if a key is unknown or a value is not of its type or range.
    """

    model: Choice
    data: Choice
    optimizer: Choice
    criterion: Choice
    scheduler: Choice
    augment: tuple[Choice, ...] = ()
    observe: tuple[Choice, ...] = ()
    train: TrainSettings = field(default_factory=TrainSettings)
    limit: int | None = None

    @classmethod
    def from_layers(cls, layers: Iterable[Layer]) -> Config:
        """Combine layers of settings, the weakest first."""
        merged: dict[str, Any] = {}
        checked = [(layer.checked(), layer.schema) for layer in layers]
        for _, schema in checked:
            merge(merged, MEANING.get(schema, {}))
        for values, _ in checked:
            merge(merged, values)
        limit = merged.get("data", {}).get(DATA_LIMIT)
        chosen: dict[str, Any] = {section: _single(section, merged.get(section, {})) for section in SINGLE}
        chosen |= {section: _several(section, merged.get(section, {})) for section in SEVERAL}
        return cls(**chosen, train=TrainSettings(**merged.get("train", {})), limit=limit)

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as the TOML file holds it: complete, in a fixed order, without what is off."""
        document: dict[str, Any] = {"schema": SCHEMA}
        for section in SINGLE:
            choice: Choice = getattr(self, section)
            document[section] = {"name": choice.name, **_without_none(choice.options)}
        if self.limit is not None:
            document["data"][DATA_LIMIT] = self.limit
        for section in SEVERAL:
            choices: tuple[Choice, ...] = getattr(self, section)
            if choices:
                document[section] = {"names": [choice.name for choice in choices]}
                document[section].update({c.name: _without_none(c.options) for c in choices if c.options})
        document["train"] = _without_none(dataclasses.asdict(self.train))
        return document


def _single(section: str, table: Mapping[str, Any]) -> Choice:
    name = table.get("name", SINGLE[section])
    if not isinstance(name, str) or not name:
        raise UsageError(
            f"no {section} was named; give one with --{section} NAME. 'zoo list {section}s' shows what there is."
            if name is None
            else f"{section}.name must be text, not {name!r}"
        )
    own = ("name", DATA_LIMIT) if section == "data" else ("name",)
    return Choice(name, {key: value for key, value in table.items() if key not in own})


def _several(section: str, table: Mapping[str, Any]) -> tuple[Choice, ...]:
    names = table.get("names", [])
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise UsageError(f"{section}.names must be a list of names, not {names!r}")
    options = {key: value for key, value in table.items() if key != "names"}
    if wrong := [key for key in options if not any(key in (name, name.rpartition("/")[2]) for name in names)]:
        raise UsageError(
            f"{section}.{wrong[0]} has options, but {wrong[0]!r} is not among the chosen: {', '.join(names) or 'none'}"
        )
    for name in names:
        if (
            len(twice := [key for key in (name, name.rpartition("/")[2]) if key in options]) > 1
            and twice[0] != twice[1]
        ):
            raise UsageError(f"{section} has two tables for one entry, {twice[0]!r} and {twice[1]!r}; make them one")
    return tuple(Choice(name, _options_for(section, name, options)) for name in names)


def _options_for(section: str, name: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    found = options.get(name, options.get(name.rpartition("/")[2], {}))
    if not isinstance(found, Mapping):
        raise UsageError(
            f"{section}.{name} must be a table of options, such as --set {section}.{name}.OPTION=VALUE, not {found!r}"
        )
    return found


def _without_none(options: Mapping[str, Any]) -> dict[str, Any]:
    """TOML has no null: what is off is left out."""
    return {key: value for key, value in options.items() if value is not None}
