"""Optuna's sampler, asked anew for each trial: what it proposes follows from the seed and what was told before."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zoo
from zoo_optuna.library import by_epoch, imported

STORAGE = "optuna.db"
STUDY = "zoo"
NUMBER = "zoo_trial"
"""The attribute of a trial that holds its number in the sweep."""


class TPE:
    """A tree of Parzen estimators: draws at random first, then near the settings that did well.

    The sampler is made anew for each trial, with a seed of its own and every trial that was told, so a search that was
    killed goes on with the same trials and nothing needs to be pickled. A trial that was pruned counts as worse than
    those that came to their end, as Optuna has it, and better the further it came.

    The trials are also written to a study, which optuna-dashboard shows: in the sweep's folder, by which nothing is
    decided, or in a storage of one's own, from which the trials of other sweeps' folders are learnt, too. There, trials
    of one number are the same where their settings are: a share's, which may be copied and told of in two folders.
    Sweeps of one seed that differ in something else than what is searched need studies of their own.

    Args:
        space: What to choose from, by key.
        seed: Of all draws.
        folder: The sweep's, for the file optuna.db; None for none.
        startup: Trials that are drawn at random before anything is learnt from, at least 1.
        together: Whether settings are chosen together rather than one by one.
        storage: The URL of a database, as SQLAlchemy takes it; None for the file.
        study: The name of the study in the storage, which must be given with it.

    Raises:
        UsageError: If Optuna is not installed, the storage has no name or cannot be opened, or the study is another's.
        ValueError: If *startup* is below 1.

    Source: Bergstra et al. 2011; Watanabe 2023.
    """

    def __init__(
        self,
        space: Mapping[str, Any],
        seed: int,
        folder: Path | None = None,
        *,
        startup: int = 10,
        together: bool = True,
        storage: str | None = None,
        study: str | None = None,
    ) -> None:
        if startup < 1:
            raise ValueError(f"startup must be at least 1, not {startup}")
        optuna = imported("the searcher 'optuna/tpe' needs")
        self._optuna, self._space, self._seed = optuna, space, seed
        self._startup, self._together = startup, together
        self._domains = {key: _distribution(optuna, domain) for key, domain in space.items()}
        self._told: dict[int, Any] = {}
        file = None if folder is None else f"sqlite:///{Path(folder) / STORAGE}"
        self._place, self._name = storage or file, study or STUDY
        self._learns_elsewhere = storage is not None
        self._study = self._opened(named=study is not None) if storage is not None else None

    def ask(self, number: int) -> dict[str, Any]:
        """Return settings that may be better than those that were told."""
        sampler = self._optuna.samplers.TPESampler(
            seed=_seed(self._seed, number), n_startup_trials=self._startup, multivariate=self._together
        )
        study = self._optuna.create_study(direction="maximize", sampler=sampler)
        known = {**self._told_elsewhere(), **{_key(trial): trial for trial in self._told.values()}}
        study.add_trials([known[key] for key in sorted(known)])
        proposed = study.ask(self._domains).params
        return {key: self._space[key].nearest(value) for key, value in proposed.items()}

    def tell(self, number: int, settings: Mapping[str, Any], score: float | None, curve: Any = None) -> None:
        """Learn how good a trial was; nothing is learnt from one that failed."""
        states = self._optuna.trial.TrialState
        ended = states.COMPLETE if curve is None or curve.finished else states.PRUNED
        trial = self._optuna.trial.create_trial(
            state=states.FAIL if score is None else ended,
            params=dict(settings),
            distributions=self._domains,
            value=score,
            intermediate_values=by_epoch(() if curve is None else curve.scores),
            user_attrs={NUMBER: number},
        )
        self._told[number] = trial
        if self._place is not None:
            self._show(trial)

    def _show(self, trial: Any) -> None:
        """Add a trial to the study, unless it is there as it is: a sweep that goes on tells of all again."""
        self._study = study = self._study or self._created()
        there = [each for each in _numbered(study) if _key(each) == _key(trial)]
        if not any(each.state == trial.state and each.values == trial.values for each in there):
            study.add_trial(trial)

    def _told_elsewhere(self) -> dict[tuple[Any, ...], Any]:
        """Return the trials of the user's study."""
        found = _numbered(self._study) if self._study and self._learns_elsewhere else []
        return {_key(trial): trial for trial in found}

    def _created(self) -> Any:
        return self._optuna.create_study(
            storage=self._place, study_name=self._name, direction="maximize", load_if_exists=True
        )

    def _opened(self, *, named: bool) -> Any:
        """Return the study in a storage of the user's.

        Raises:
            UsageError: If it has no name, cannot be opened, or holds trials of something else.
        """
        if not named:
            raise zoo.UsageError("a storage may hold many searches; name this one's with --set search.study=NAME")
        try:
            study = self._created()
            others = [trial for trial in study.get_trials(deepcopy=False) if trial.distributions != self._domains]
        except Exception as error:  # of the database, its driver or its address
            raise zoo.UsageError(f"search.storage cannot be opened: {str(error).splitlines()[0]}") from error
        if others:
            raise zoo.UsageError(f"the study {self._name!r} holds another search; give another search.study")
        return study


def _numbered(study: Any) -> list[Any]:
    """Return a study's trials that are of sweeps."""
    return [trial for trial in study.get_trials(deepcopy=False) if NUMBER in trial.user_attrs]


def _key(trial: Any) -> tuple[Any, ...]:
    """Return what tells a trial from all others: its number alone may be that of another sweep's in the study, too."""
    domains = trial.distributions  # as the database has values, where 1 and 1.0 are one
    settings = sorted((key, domains[key].to_internal_repr(value)) for key, value in trial.params.items())
    return trial.user_attrs[NUMBER], *settings


def _distribution(optuna: Any, domain: Any) -> Any:
    values = getattr(domain, "values", None)
    if values is not None:
        return optuna.distributions.CategoricalDistribution(values)
    if domain.whole:
        return optuna.distributions.IntDistribution(int(domain.low), int(domain.high))
    return optuna.distributions.FloatDistribution(domain.low, domain.high, log=domain.log)


def _seed(seed: int, number: int) -> int:
    """Return a seed of a trial's own, in [0, 2**32)."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{number}".encode(), digest_size=4).digest(), "big")
