"""What is found where a run shall be, held against what was asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from typing import Any

from zoo.config import Config, TrainSettings, differing, flattened
from zoo.errors import DamagedError, UsageError
from zoo.records.directory import RunDirectory
from zoo.runs.components import Components, located
from zoo.runs.moved import places_in
from zoo.runs.weighting import is_open
from zoo.training.arithmetic import choose_device

_SLICES = "train.slices"
_RATE, _WEIGHT = "optimizer.lr", "criterion.weight"
_CHOSEN = {_SLICES, "train.layer_decay", "train.head_lr"}
"""Settings that have no word for being left to zoo: leaving them out is that word."""
_WITHOUT_MEANING = {
    "train.threads",
    "train.readers",
    "train.shard_weights",
    "data.stream",
}  # they change how a run is computed, not what


def recorded_there(
    directory: RunDirectory, config: Config, components: Components, *, restart: bool
) -> dict[str, Any] | None:
    """Return the configuration of the run that is to go on, as plain data; None where one is to begin.

    Args:
        directory: Where the run shall be.
        config: What was asked for, of these *components*.
        components: The parts.
        restart: Whether a run that is there is to be removed.

    Raises:
        UsageError: If the directory holds a run with other settings, or something else than a run.
    """
    if directory.holds_run and restart:
        _refuse_to_remove_others(directory)
    elif directory.holds_run:
        recorded = directory.read_config()
        if changed := differences(recorded, config, _left_open(components)):
            moved = _if_moved(directory, recorded, changed)
            raise UsageError(
                f"{directory} holds a run with other settings: {'; '.join(changed)}.\n"
                f"Give another --out, or --restart to remove that run and begin anew{moved}."
            )
        choose_device(config.train.device)  # a run may go on without its GPU, but not where one is asked for
        return recorded.to_dict()
    elif not directory.is_free:
        raise UsageError(f"{str(directory)!r} exists and holds something else than a run; give another --out")
    return None


def differences(recorded: Config, requested: Config, left_open: Collection[str] = ()) -> list[str]:
    """Return where two configurations differ, one line a key; what was left to zoo to choose never does.

    Args:
        recorded: The run's.
        requested: The one that was asked for.
        left_open: Keys of options that zoo decides, where it does: the rate, which tuning has of its own, and what a
            criterion's weights hang on.
    """
    data = dataclasses.replace(recorded.data, options=located(recorded.data.options))  # as older versions did not
    old = flattened(dataclasses.replace(recorded, data=data, train=as_begun(recorded.train)).to_dict())
    new = flattened(requested.to_dict())
    open_keys = {key for key, value in new.items() if value == "auto"} | _WITHOUT_MEANING | (_CHOSEN - new.keys())
    if recorded.train.accumulate == "auto" and (recorded.train.slices or 1) > (requested.train.slices or 1):
        open_keys.add(_SLICES)  # they were cut to what memory there was
    open_keys |= set(left_open) - ({_RATE} if recorded.train.tune != "full" else set())
    keys = (old.keys() | new.keys()) - open_keys
    if _WEIGHT in open_keys:
        keys = {key for key in keys if not key.startswith(f"{_WEIGHT}.")}
    return differing(old, new, keys)


def as_begun(settings: TrainSettings) -> TrainSettings:
    """Return a run's recorded *settings* with what those left unsaid that are older than the setting."""
    order = "table" if settings.order == "auto" else settings.order
    return dataclasses.replace(settings, slices=settings.slices or 1, order=order)


def _left_open(components: Components) -> list[str]:
    left = [] if "lr" in components["optimizer"].options else [_RATE]
    return [*left, _WEIGHT] if is_open(components["criterion"]) else left


def _if_moved(directory: RunDirectory, recorded: Config, changed: Sequence[str]) -> str:
    """Return what else can be done where the images' place alone is another."""
    keys = [line.split()[0] for line in changed]
    if not set(keys) <= set(places_in(recorded)):
        return ""
    return f"; if its images have moved: --resume {directory} {' '.join(f'--set {key}=DIR' for key in keys)}"


def _refuse_to_remove_others(directory: RunDirectory) -> None:
    """Many a project has a config.toml and a folder checkpoints: only a run of zoo's is ever removed."""
    try:
        directory.read_config()
    except DamagedError as error:
        raise UsageError(
            f"--restart removes runs alone, and {directory} is none, or a damaged one ({error}).\n"
            "Remove it yourself, or give another --out."
        ) from error
