"""Runs whose images have moved: the one setting that may then be another."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.config import Choice, Config
from zoo.data import Dataset
from zoo.data.identity import Identification
from zoo.errors import UsageError
from zoo.runs.components import Component
from zoo.runs.datasets import load_dataset

ROOT = "data.root"
"""Where a dataset's files are. Whether they are the run's is known by the images themselves."""


def relocated(config: Config, options: Mapping[str, Any] | None) -> Config:
    """Return a run's configuration with its images where *options* says that they are now.

    Args:
        config: The run's own.
        options: ``{"data.root": ...}``, or nothing.

    Raises:
        UsageError: If it says anything else.
    """
    if not options:
        return config
    if not isinstance(options, Mapping) or (others := [key for key in options if key != ROOT]):
        what = repr(others[0]) if isinstance(options, Mapping) else repr(options)
        raise UsageError(f"a run keeps its settings: of its options {ROOT} alone may be given, not {what}")
    root = options[ROOT]
    path = os.fspath(root) if isinstance(root, os.PathLike) else root
    return dataclasses.replace(config, data=Choice(config.data.name, {**config.data.options, "root": path}))


def settled(config: Config, component: Component) -> Config:
    """Return a relocated run's configuration with its data's root as *component* took it: absolute."""
    root = component.choice.options["root"]
    return dataclasses.replace(config, data=Choice(config.data.name, {**config.data.options, "root": root}))


def load_again(component: Component, split_by: str) -> tuple[Dataset, Identification]:
    """Build the dataset of a run that was begun before.

    Raises:
        UsageError: If it is not where it was; the message says how to tell where it is.
        DamagedError: If its files are damaged.
    """
    try:
        return load_dataset(component, split_by)
    except UsageError as error:
        root = component.option("root")
        if not isinstance(root, str) or Path(root).exists():
            raise
        raise UsageError(f"{error}\nIf the images have moved, --set {ROOT}=DIR tells where they are now.") from error
