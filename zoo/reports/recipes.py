"""Which runs are one recipe: those that differ in nothing but the seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zoo.config import Config

SEED = "train.seed"


def flat_settings(config: Config) -> dict[str, Any]:
    """Return a run's settings by key, ``model.p`` and the like."""
    return dict(_flat(config.to_dict(), ""))


def _flat(table: Mapping[str, Any], prefix: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in table.items():
        found += _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else [(prefix + key, value)]
    return found


def grouped(settings: Sequence[Mapping[str, Any]]) -> list[list[int]]:
    """Return the places of the runs of each recipe, in the order in which they first come."""
    found: dict[str, list[int]] = {}
    for place, each in enumerate(settings):
        key = repr(sorted((name, value) for name, value in each.items() if name != SEED))
        found.setdefault(key, []).append(place)
    return list(found.values())
