"""The runs of a folder in a row: chosen, sorted, and with the seeds of one recipe together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from zoo.errors import DamagedError, UnknownNameError, UsageError
from zoo.records.directory import RunDirectory
from zoo.records.history import PastRun
from zoo.reports.recipes import flat_settings, grouped
from zoo.reports.statistics import Mean, mean_of

RANKED_BY = "val_accuracy"
"""What ranks runs where nothing else is asked for: a test set that decides is no test set any more."""

_OWN = ("directory", "status")
_ASCENDING = ("loss", "seconds", "parameters", "directory", "status")


@dataclass(frozen=True)
class Recipe:
    """Runs that differ in nothing but the seed.

    Attributes:
        runs: At least one.
        validation: The mean of their validation accuracies; None where no run has one.
        test: The same of the test images.
    """

    runs: Sequence[PastRun]
    validation: Mean | None
    test: Mean | None


def chosen(runs: Iterable[PastRun], conditions: Iterable[str]) -> list[PastRun]:
    """Return the runs that meet every condition, ``KEY=VALUE``.

    Args:
        runs: From `zoo.records.history.list_runs`.
        conditions: KEY is one of summary.json, ``status``, or one of config.toml with a dot; VALUE may have * and ?.

    Raises:
        UsageError: If a condition is none, or no run has the key.
    """
    found = list(runs)
    for condition in conditions:
        key, equals, wanted = condition.partition("=")
        if not equals or not key:
            raise UsageError(f"--where takes KEY=VALUE, such as model=*resnet* or train.seed=1, not {condition!r}")
        found = _with(found, key, wanted)
    return found


def _with(runs: Sequence[PastRun], key: str, wanted: str) -> list[PastRun]:
    values = [value_of(run, key) for run in runs]
    if runs and all(value is None for value in values):
        raise UnknownNameError("key", key, _keys(runs), "A key with a dot is one of config.toml.")
    return [run for run, value in zip(runs, values, strict=True) if value is not None and _matches(value, wanted)]


def _matches(value: Any, wanted: str) -> bool:
    if isinstance(value, bool):
        return str(value).lower() == wanted.lower()
    if isinstance(value, int | float):
        try:
            return float(wanted) == value
        except ValueError:
            return False
    return any(fnmatchcase(text, wanted) for text in (str(value), str(value).rpartition("/")[2]))


def value_of(run: PastRun, key: str) -> Any:
    """Return what a run has under a key of its summary or, with a dot, of its settings; None where it has none."""
    if key in _OWN:
        return str(getattr(run, key))
    if "." not in key:
        return run.summary.get(key)
    try:
        return flat_settings(RunDirectory(run.directory).read_config()).get(key)
    except DamagedError:
        return None


def in_order(runs: Sequence[PastRun], key: str | None) -> list[PastRun]:
    """Return the runs by a key, the best first: greatest accuracies, smallest losses; those without it come last.

    Raises:
        UsageError: If no run has the key.
    """
    key = key or RANKED_BY
    values = [value_of(run, key) for run in runs]
    if runs and key != RANKED_BY and all(value is None for value in values):
        raise UnknownNameError("key", key, _keys(runs), "A key with a dot is one of config.toml.")
    order = sorted(
        (place for place, value in enumerate(values) if value is not None),
        key=lambda place: _comparable(values[place]),
        reverse=not any(word in key for word in _ASCENDING),
    )
    return [runs[place] for place in [*order, *(place for place, value in enumerate(values) if value is None)]]


def _comparable(value: Any) -> tuple[bool, Any]:
    return (False, value) if isinstance(value, int | float) else (True, str(value))


def _keys(runs: Sequence[PastRun]) -> set[str]:
    return {*_OWN, *(key for run in runs for key in run.summary)}


def recipes(runs: Sequence[PastRun]) -> list[Recipe]:
    """Return the recipes of the runs, the best mean validation accuracy first; damaged runs are left out."""
    readable, settings = [], []
    for run in runs:
        try:
            settings.append(flat_settings(RunDirectory(run.directory).read_config()))
        except DamagedError:
            continue
        readable.append(run)
    found = [_recipe([readable[place] for place in places]) for places in grouped(settings)]
    return sorted(found, key=lambda recipe: -(recipe.validation.value if recipe.validation else -1))


def _recipe(runs: Sequence[PastRun]) -> Recipe:
    return Recipe(runs, *(_mean([run.summary for run in runs], key) for key in ("val_accuracy", "test_accuracy")))


def _mean(summaries: Iterable[Mapping[str, Any]], key: str) -> Mean | None:
    values = [summary[key] for summary in summaries if isinstance(summary.get(key), float)]
    return mean_of(values) if values else None
