"""Settings from one source, checked, and how one source's lie over another's."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zoo.config.sections import DATA_LIMIT, KEYS, MEANING, SCHEMA, SEVERAL, SINGLE
from zoo.config.settings import TrainSettings
from zoo.config.values import checked_value, converted
from zoo.errors import UnknownNameError, UsageError


@dataclass(frozen=True)
class Layer:
    """Settings from one source.

    Attributes:
        source: As error messages name it: ``"run.toml"``, ``"ZOO_TRAIN_EPOCHS"``, ``"--epochs"``.
        values: Nested like the TOML file.
    """

    source: str
    values: Mapping[str, Any]

    @property
    def schema(self) -> Any:
        """The schema that the source was written for: this zoo's own where it does not say."""
        return self.values.get("schema", SCHEMA)

    def checked(self) -> Mapping[str, Any]:
        """Return the values, each of the right type and in range.

        Raises:
            UsageError: If a section, a key or a value is wrong; the message names the source.
        """
        values = dict(self.values)
        values.pop("schema", None)
        if self.schema not in (SCHEMA, *MEANING):
            raise UsageError(
                f"{self.source}: schema is {self.schema!r}, but this torch-zoo reads schema {SCHEMA} and older ones; "
                "update it"
            )
        for section, table in values.items():
            if section not in (*SINGLE, *SEVERAL, "train"):
                raise UnknownNameError("section", section, (*SINGLE, *SEVERAL, "train"), f"It stands in {self.source}.")
            if not isinstance(table, Mapping):
                raise UsageError(f"{self.source}: {section} must be a table such as [{section}], not {table!r}")
        if "train" in values:
            values["train"] = {key: self._train_value(key, value) for key, value in values["train"].items()}
        if "lr" in values.get("optimizer", {}):
            values["optimizer"] = {**values["optimizer"], "lr": self._rate(values["optimizer"]["lr"])}
        if DATA_LIMIT in values.get("data", {}):
            values["data"] = {**values["data"], DATA_LIMIT: self._limit(values["data"][DATA_LIMIT])}
        return values

    def _train_value(self, key: str, value: Any) -> Any:
        fields = {item.name: item for item in dataclasses.fields(TrainSettings)}
        if key not in fields:
            raise UnknownNameError(
                "key", f"train.{key}", [f"train.{name}" for name in fields], f"It stands in {self.source}."
            )
        return checked_value(fields[key], value, self.source)

    def _rate(self, value: Any) -> float:
        try:
            rate = float(converted(value, {"float"}))
        except (ValueError, OverflowError):
            rate = math.nan
        if not (math.isfinite(rate) and rate > 0):
            raise UsageError(f"{self.source}: optimizer.lr must be a number above 0, not {value!r}")
        return rate

    def _limit(self, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise UsageError(f"{self.source}: data.limit must be a whole number of at least 1, not {value!r}")
        return int(value)


def layer_of(argument: str, value: Any, source: str) -> Layer:
    """Return the layer of one setting.

    Args:
        argument: One of `KEYS`.
        value: As it was typed or passed; several names may be one text with commas.
        source: For error messages.
    """
    section, key = KEYS[argument].split(".")
    if section in SEVERAL:
        if not isinstance(value, str | list | tuple):
            raise UsageError(f"{source} must be names, not {value!r}")
        names = value.split(",") if isinstance(value, str) else list(value)
        value = [name.strip() if isinstance(name, str) else name for name in names if name != ""]
    return Layer(source, {section: {key: value}})


def in_order(settings: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return flags or arguments in the order in which they lie over one another, in whichever they were given.

    A name comes before its options, as it drops those of another name, and ``steps`` after ``epochs``, which drops it.
    """
    return sorted(settings.items(), key=lambda setting: (setting[0] not in SINGLE, setting[0] == "steps"))


def merge(base: dict[str, Any], layer: Mapping[str, Any]) -> None:
    """Lay *layer* over *base*, and a table over a table. Naming another entry drops the options of the one before.

    So does giving another length for the run: ``epochs`` over ``steps``.
    """
    for section, table in layer.items():
        below = base.setdefault(section, {})
        if section in SEVERAL and isinstance(names := table.get("names"), list):
            base[section] = below = {
                _called(key, names): value
                for key, value in below.items()
                if key == "names" or any(may_be_one(key, name) for name in names)
            }
        if section == "train" and "epochs" in table and "steps" not in table:
            below.pop("steps", None)
        if section in SINGLE and "name" in table and not may_be_one(below.get("name"), table["name"]):
            kept = {key: below[key] for key in (DATA_LIMIT,) if section == "data" and key in below}
            base[section] = below = kept
        for key, value in table.items():
            if isinstance(value, Mapping) and isinstance(below.get(key, {}), Mapping):
                below[key] = {**below.get(key, {}), **value}
            else:
                below[key] = value


def _called(key: str, names: list[Any]) -> str:
    """Return what a table is called where a layer above names its entry in short, or in full."""
    found = [name for name in names if may_be_one(key, name)]
    return found[0] if len(found) == 1 and key != "names" else key


def may_be_one(below: Any, name: Any) -> bool:
    """Whether two names may mean one entry: equal, one the short form of the other, or none named so far."""
    if below is None or not (isinstance(below, str) and isinstance(name, str)):
        return below is None
    return below == name or name == below.rpartition("/")[2] or below == name.rpartition("/")[2]
