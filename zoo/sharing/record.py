"""What is published of a run beside its weights, with nothing of the machine that it ran on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from zoo.config import Config
from zoo.records.checkpoints import WHOLE
from zoo.records.images import read_data
from zoo.runs.facts import expects_to_json, facts_to_json
from zoo.runs.loading import LoadedRun
from zoo.runs.record import SCHEMA


def record_of(loaded: LoadedRun, temperature: float | None, *, folded: bool = False) -> dict[str, Any]:
    """Return what is published of a run beside its weights, with nothing of the machine that it ran on.

    Args:
        loaded: The run.
        temperature: What its logits are divided by; None for nothing.
        folded: Whether its weights are no longer those that its recipe gives.
    """
    state, environment = loaded.checkpoint.state, loaded.directory.read_environment()
    return {
        "schema": SCHEMA,
        "config": portable(loaded.config),
        "data": read_data(loaded.directory.path),
        "entries": state.get("entries", {}),
        "epoch": loaded.epoch,
        "expects": expects_to_json(loaded.network.expects),
        "images": facts_to_json(loaded.images),
        "folded": folded,
        "step": loaded.checkpoint.step,
        "temperature": temperature,
        "torch": environment.get("torch"),
        "whole": loaded.checkpoint.weights_part == WHOLE,
    }


def portable(config: Config) -> dict[str, Any]:
    """Return a configuration without what only the run's machine has: of absolute paths the last part stays."""
    document = config.to_dict()
    document["train"].pop("threads", None)  # the machine's; environment.json has them
    return {section: _without_folders(value) for section, value in document.items()}


def _without_folders(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_folders(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_folders(item) for item in value]
    if isinstance(value, str) and PurePath(value).is_absolute():
        return PurePath(value).name
    return value
