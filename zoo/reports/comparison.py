"""Whether one run is better than another: settings that differ, and tests that say which question they answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import UsageError
from zoo.records.directory import RunDirectory
from zoo.records.history import status_of
from zoo.reports.evaluations import Evaluation, read_evaluation
from zoo.reports.recipes import SEED, flat_settings, grouped
from zoo.reports.statistics import bonett_price, bootstrap, holm, mcnemar, mean_of, paired_t, welch_t, wilson
from zoo.reports.story import read_epochs

SCHEMA = 1
PLACES = 100
"""Images on which two models disagree that are named, of each kind."""


class Comparison(dict[str, Any]):
    """What was found when runs were compared: plain data, which a notebook shows as a page."""

    def report(self, out: str | Path) -> Path:
        """Write the page of the comparison, as ``zoo compare --html FILE`` does, and return its path.

        Raises:
            UsageError: If it cannot be written there.
        """
        from zoo.reports.comparison_page import write_comparison  # with the library that makes pages

        return write_comparison(self, Path(out).expanduser())

    def _repr_html_(self) -> str:
        """Return what a notebook shows: what can be said, the runs, their curves and where they disagree."""
        from zoo.reports.comparison_page import comparison_page
        from zoo.reports.rendering import framed

        return framed(comparison_page(self))


@dataclass(frozen=True)
class Compared:
    """A run as a comparison sees it."""

    path: Path
    status: str
    settings: Mapping[str, Any]
    summary: Mapping[str, Any]
    epochs: Sequence[Mapping[str, float | None]]
    evaluation: Evaluation

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which images it got right, (N,)."""
        return self.evaluation.outcomes.right

    @property
    def accuracy(self) -> float:
        """On the images of the evaluation, in [0, 1]."""
        return float(self.right.mean())

    @property
    def rank(self) -> float:
        """What decides which run is the best: validation accuracy, for the test images must decide nothing."""
        return float(self.summary.get("val_accuracy") or 0.0)

    @property
    def seed(self) -> int:
        """Of the run."""
        return int(self.settings[SEED])


def compare(*runs: str | Path | Any, split: str = "test") -> Comparison:
    """Compare two runs or more by their kept evaluations.

    Runs that differ in nothing but the seed are one recipe. Where every run is a recipe of its own, the trained models
    are tested on the images that they share: McNemar's exact test, each against the best by validation, adjusted by
    Holm. Where recipes have several seeds, their means are compared: paired t where the seeds are the same, else
    Welch's. Where the images differ, nothing is tested.

    Args:
        runs: Directories, or what `zoo.train` returned; at least two.
        split: ``"test"`` or ``"validation"``: whose evaluation of the best epoch is compared.

    Returns:
        A dictionary of plain data: ``runs``, ``settings`` that differ, ``epochs``, whether these are the
        ``same_images``, ``groups``, ``models``, tests of pairs, and ``recipes``, tests of groups. A notebook shows it
        as a page, which ``report(FILE)`` writes.

    Raises:
        UsageError: If there is no such run, fewer than two are given, or one keeps no such evaluation.
        DamagedError: If a run is damaged.
    """
    if len(runs) < 2:
        raise UsageError("a comparison needs two runs or more")
    found = [_read(Path(getattr(run, "directory", run)), split) for run in runs]
    if twice := [each.path for place, each in enumerate(found) if each.path in [one.path for one in found[:place]]]:
        raise UsageError(f"{str(twice[0])!r} is given twice")
    groups = grouped([each.settings for each in found])
    same = len({each.evaluation.digest for each in found}) == 1
    return Comparison(
        {
            "schema": SCHEMA,
            "split": split,
            "runs": [_told(each, number) for each, number in zip(found, _numbers(groups, len(found)), strict=True)],
            "settings": _differing(found),
            "epochs": [[dict(row) for row in each.epochs] for each in found],
            "same_images": same,
            "groups": [_group([found[place] for place in places], places) for places in groups],
            "models": _models(found) if same and len(groups) == len(found) else [],
            "recipes": _recipes(found, groups) if same and len(groups) < len(found) else [],
        }
    )


def _read(path: Path, split: str) -> Compared:
    directory = RunDirectory.open(path)
    if split not in ("test", "validation"):
        raise UsageError(f"--split must be test or validation, not {split!r}: what was learnt compares nothing")
    summary = directory.read_summary()
    return Compared(
        directory.path.resolve(),
        status_of(directory, summary),
        flat_settings(directory.read_config()),
        summary,
        read_epochs(directory.path),
        read_evaluation(directory.path, f"{split}-best"),
    )


def _numbers(groups: Sequence[Sequence[int]], count: int) -> list[int]:
    """Return each run's group."""
    return [next(number for number, places in enumerate(groups) if place in places) for place in range(count)]


def _told(run: Compared, group: int) -> dict[str, Any]:
    right, total = int(run.right.sum()), len(run.right)
    return {
        "run": str(run.path),
        "name": run.path.name,
        "status": run.status,
        "model": run.settings["model.name"],
        "seed": run.seed,
        "group": group,
        "val_accuracy": run.summary.get("val_accuracy"),
        "accuracy": right / total,
        "interval": list(dataclasses.astuple(wilson(right, total))),
        "samples": total,
        "images": run.evaluation.digest,
    }


def _differing(runs: Sequence[Compared]) -> list[dict[str, Any]]:
    """Return the settings in which the runs differ, with each one's value; None where a run has none."""
    keys = dict.fromkeys(key for run in runs for key in run.settings)
    rows = {key: [run.settings.get(key) for run in runs] for key in keys}
    return [{"key": key, "values": _in_short(values)} for key, values in rows.items() if _differ(values)]


def _differ(values: Sequence[Any]) -> bool:
    return any(value != values[0] for value in values)


def _in_short(values: list[Any]) -> list[Any]:
    """Return a setting's values; of tables, such as the members of an ensemble, their names where these differ."""
    names = [[each["name"] for each in value] if _are_tables(value) else value for value in values]
    return names if _differ(names) else values


def _are_tables(value: Any) -> bool:
    return (
        isinstance(value, list) and value != [] and all(isinstance(each, Mapping) and "name" in each for each in value)
    )


def _group(runs: Sequence[Compared], places: Sequence[int]) -> dict[str, Any]:
    mean = mean_of([run.accuracy for run in runs])
    return {
        "runs": list(places),
        "seeds": [run.seed for run in runs],
        "mean": mean.value,
        "deviation": mean.deviation,
        "interval": list(dataclasses.astuple(mean.interval)) if mean.interval else None,
    }


def _models(runs: Sequence[Compared]) -> list[dict[str, Any]]:
    """Test each trained model against the best by validation, on the same images."""
    best = max(range(len(runs)), key=lambda place: (runs[place].rank, -place))
    others = [place for place in range(len(runs)) if place != best]
    found = [_pair(runs[place], runs[best]) for place in others]
    adjusted = holm([each["p"] for each in found])
    return [
        {"first": place, "second": best, **each, "adjusted_p": p}
        for place, each, p in zip(others, found, adjusted, strict=True)
    ]


def _pair(first: Compared, second: Compared) -> dict[str, Any]:
    only = [first.right & ~second.right, second.right & ~first.right]
    counts = (int(only[0].sum()), int(only[1].sum()))
    test, interval = mcnemar(*counts), bonett_price(*counts, len(first.right))
    places = first.evaluation.arrays["places"]
    return {
        "difference": (counts[1] - counts[0]) / len(first.right),
        "interval": [interval.low, interval.high],
        "first_only": counts[0],
        "second_only": counts[1],
        "p": test.p,
        "mid_p": test.mid_p,
        "first_only_places": places[only[0]][:PLACES].tolist(),
        "second_only_places": places[only[1]][:PLACES].tolist(),
    }


def _recipes(runs: Sequence[Compared], groups: Sequence[Sequence[int]]) -> list[dict[str, Any]]:
    """Test each recipe with two seeds or more against the best by validation."""
    several = [number for number, places in enumerate(groups) if len(places) > 1]
    if len(several) < 2:
        return []
    best = max(several, key=lambda number: (np.mean([runs[place].rank for place in groups[number]]), -number))
    others = [number for number in several if number != best]
    members = {number: [runs[place] for place in groups[number]] for number in several}
    found = [_recipe_pair(members[number], members[best]) for number in others]
    adjusted = holm([each["p"] for each in found])
    return [
        {"first": number, "second": best, **each, "adjusted_p": p}
        for number, each, p in zip(others, found, adjusted, strict=True)
    ]


def _recipe_pair(first: Sequence[Compared], second: Sequence[Compared]) -> dict[str, Any]:
    first, second = sorted(first, key=lambda run: run.seed), sorted(second, key=lambda run: run.seed)
    seeds = [run.seed for run in first]
    paired = seeds == [run.seed for run in second] and len(set(seeds)) == len(seeds)
    test = (paired_t if paired else welch_t)([run.accuracy for run in first], [run.accuracy for run in second])
    both = bootstrap(np.stack([run.right for run in first]), np.stack([run.right for run in second]), paired=paired)
    return {
        "test": "paired t" if paired else "Welch's t",
        "difference": test.difference,
        "interval": [test.interval.low, test.interval.high],
        "degrees": test.degrees,
        "p": test.p,
        "bootstrap": [both.low, both.high],
    }
