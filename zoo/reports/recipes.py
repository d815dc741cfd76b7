"""Which runs are one recipe: those that differ in nothing but the seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zoo.config import Config, flattened

SEED = "train.seed"


def flat_settings(config: Config) -> dict[str, Any]:
    """Return a run's settings by key, ``model.p`` and the like."""
    return flattened(config.to_dict())


def grouped(settings: Sequence[Mapping[str, Any]]) -> list[list[int]]:
    """Return the places of the runs of each recipe, in the order in which they first come."""
    found: dict[str, list[int]] = {}
    for place, each in enumerate(settings):
        key = repr(sorted((name, value) for name, value in each.items() if name != SEED))
        found.setdefault(key, []).append(place)
    return list(found.values())
