"""Several runs from Python: `zoo.sweep`."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from zoo.config import KEYS, Layer, flattened, in_order, layer_of, nested
from zoo.errors import UnknownNameError, UsageError
from zoo.runs.configuring import configured
from zoo.sweeps.asking import Asked, Sweep, concluded, share_of
from zoo.sweeps.result import SweepResult
from zoo.sweeps.runs import Outcome
from zoo.sweeps.searching import DEFAULT_SEARCHER, Searched, chosen, extremes, split_options


def sweep(
    model: str | None = None,
    *,
    seeds: int | None = None,
    folds: int | None = None,
    space: Mapping[str, str] | None = None,
    searcher: str = DEFAULT_SEARCHER,
    trials: int | None = None,
    prune: str | None = None,
    jobs: int = 1,
    share: str | None = None,
    options: Mapping[str, Any] | None = None,
    recipe: str | None = None,
    config: str | Path | None = None,
    out: str | Path | None = None,
    ended: Callable[[Outcome], object] | None = None,
    **settings: Any,
) -> SweepResult:
    """Train with several seeds, cross-validate, or search for better settings, as the command ``zoo sweep`` does.

    ::

        found = zoo.sweep("mlp", epochs=2, space={"optimizer.lr": "log(1e-4,1e-1)"}, trials=10, out="rates")
        found.best.settings, found.best.directory

    Every run is an ordinary one, in a process of its own; called again, a sweep that was interrupted goes on.

    Args:
        model: A registered name. An object cannot be passed on to the processes.
        seeds: How many seeds, at least 2, from ``seed`` on.
        folds: K, at least 2: each of K parts of the training images is held out in turn.
        space: What to search, by key, as ``--search`` takes it: ``"[0.1,0.5]"``, ``"(0,0.5)"``, ``"log(1e-4,1e-1)"``.
        searcher: A registered searcher.
        trials: Of a search; 20 by default, or all of a grid.
        prune: A registered pruner, which ends trials early that are worse than others.
        jobs: Runs at a time.
        share: ``"I/K"``: of all runs in turn, every K-th from the I-th on, where machines share no folder.
        options: Options of the chosen entries by key; the searcher's own are ``search.OPTION``, the pruner's
            ``prune.OPTION``.
        recipe: A registered recipe.
        config: A TOML file.
        out: The sweep's own folder; by default a new one under ``runs``. If it holds this very sweep, that goes on.
        ended: Told what became of each run as it ends.
        **settings: As of `zoo.train`, names alone in place of objects.

    Returns:
        What became of the runs: ``runs``, ``best`` of a search, ``mean`` of seeds, ``out_of_fold`` of folds.

    Raises:
        UsageError: If a name, an option or a value is wrong, or the folder holds something else.
        ZooError: If the first run is refused, as all others would be.
    """
    if sum((seeds is not None, folds is not None, bool(space))) != 1:
        raise UsageError("what shall differ between the runs? Give seeds, folds or space, and one alone")
    if jobs < 1 or any(count is not None and count < least for count, least in ((seeds, 2), (folds, 2), (trials, 1))):
        raise UsageError("seeds and folds must be at least 2, trials and jobs at least 1")
    own, shared = split_options((options or {}).items(), tuple)
    layers = _layers(settings if model is None else {"model": model, **settings})
    layers += [Layer(f"options[{key!r}]", nested(key, value)) for key, value in shared]
    asked = Asked(
        configured(layers, recipe=recipe, file=config),
        _arguments(layers, recipe, config),
        None if out is None else Path(out),
        jobs,
        share_of(share),
    )
    texts = [f"{key}={text}" for key, text in (space or {}).items()]
    configured([*layers, *extremes(texts)], recipe=recipe, file=config)
    asked_for = Searched(texts, searcher, trials, own["search"], prune, own["prune"])
    return _carried_out(chosen(asked, seeds, folds, asked_for), ended)


def _carried_out(begun: Sweep, ended: Callable[[Outcome], object] | None) -> SweepResult:
    outcomes, log = [], logging.getLogger("zoo")
    for outcome in begun.carry_out(log.info):
        outcomes.append(outcome)
        if ended is not None:
            ended(outcome)
    return concluded(begun, outcomes, log.warning)


def _layers(settings: Mapping[str, Any]) -> list[Layer]:
    layers = []
    for name, value in in_order(settings):
        if name not in KEYS:
            raise UnknownNameError("argument", name, KEYS, "zoo.sweep takes what 'zoo sweep --help' lists.")
        if not isinstance(value, str | bool | int | float | list | tuple | None):
            raise UsageError(f"{name} must be a registered name, not {value!r:.60}: runs are processes of their own")
        if value is not None:
            layers.append(layer_of(name, value, name))
    return layers


def _arguments(layers: Iterable[Layer], recipe: str | None, config: str | Path | None) -> list[str]:
    """Return what ``zoo train`` is given to be asked for the same."""
    given = [] if recipe is None else [f"--recipe={recipe}"]
    given += [] if config is None else [f"--config={Path(config).expanduser()}"]
    return given + [
        f"--set={key}={json.dumps(value)}" for layer in layers for key, value in flattened(layer.values).items()
    ]
