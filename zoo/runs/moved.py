"""Runs whose images have moved: the settings that may then be others."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.config import Choice, Config
from zoo.data import Dataset
from zoo.data.identity import Identification
from zoo.errors import DamagedError, UsageError
from zoo.runs.components import Component
from zoo.runs.datasets import load_dataset

ROOT = "data.root"
"""Where a dataset's files are. Whether they are the run's is known by the images themselves."""

PLACES = (ROOT, "data.images")
"""Beside its root a table has a folder of images."""


def relocated(config: Config, options: Mapping[str, Any] | None) -> Config:
    """Return a run's configuration with its images where *options* says that they are now.

    Args:
        config: The run's own.
        options: ``{"data.root": ...}``, and ``"data.images"`` where the run's data have such a folder; or nothing.

    Raises:
        UsageError: If it says anything else.
    """
    if not options:
        return config
    known = places_in(config)
    if not isinstance(options, Mapping) or (others := [key for key in options if key not in known]):
        what = repr(others[0]) if isinstance(options, Mapping) else repr(options)
        raise UsageError(
            f"a run keeps its settings: of its options {' and '.join(known)} alone may be given, not {what}"
        )
    given = {_name(key): os.fspath(at) if isinstance(at, os.PathLike) else at for key, at in options.items()}
    return dataclasses.replace(config, data=Choice(config.data.name, {**config.data.options, **given}))


def places_in(config: Config) -> list[str]:
    """Return the keys of a run's data that say where its files are; what another dataset calls so may be no folder."""
    options = config.data.options
    return [place for place in PLACES if place == ROOT or isinstance(options.get(_name(place)), str)]


def settled(config: Config, component: Component) -> Config:
    """Return a relocated run's configuration with its data's places as *component* took them: absolute."""
    taken = {_name(place): component.choice.options.get(_name(place)) for place in PLACES}
    places = {name: at for name, at in taken.items() if at is not None}
    return dataclasses.replace(config, data=Choice(config.data.name, {**config.data.options, **places}))


def _name(place: str) -> str:
    return place.removeprefix("data.")


def load_again(component: Component, split_by: str) -> tuple[Dataset, Identification]:
    """Build the dataset of a run that was begun before.

    Raises:
        UsageError: If it is not where it was; the message says how to tell where it is.
        DamagedError: If its files are damaged, or those that a table names are not where they were.
    """
    try:
        return load_dataset(component, split_by)
    except (UsageError, DamagedError) as error:
        recorded = {place: component.option(_name(place)) for place in PLACES}
        gone = [place for place, at in recorded.items() if isinstance(at, str) and not Path(at).exists()]
        if not gone:
            raise
        told = f"{error}\nIf the images have moved, --set {gone[0]}=DIR tells where they are now."
        raise (DamagedError if isinstance(error, DamagedError) else UsageError)(told) from error
