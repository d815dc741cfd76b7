"""Optuna's sampler, asked anew for each trial: what it proposes follows from the seed and what was told before."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo_optuna.library import imported

STORAGE = "optuna.db"


class TPE:
    """A tree of Parzen estimators: draws at random first, then near the settings that did well.

    The sampler is made anew for each trial, with a seed of its own and every trial that was told, so a search that was
    killed goes on with the same trials and nothing needs to be pickled. In a sweep's folder the trials are also
    written to optuna.db, which optuna-dashboard reads; nothing is decided by that file.

    Args:
        space: What to choose from, by key.
        seed: Of all draws.
        folder: The sweep's, for the file; None for none.
        startup: Trials that are drawn at random before anything is learnt from, at least 1.
        together: Whether settings are chosen together rather than one by one.

    Raises:
        UsageError: If Optuna is not installed.
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
    ) -> None:
        if startup < 1:
            raise ValueError(f"startup must be at least 1, not {startup}")
        optuna = imported("the searcher 'optuna/tpe' needs")
        self._optuna, self._space, self._seed = optuna, space, seed
        self._startup, self._together = startup, together
        self._domains = {key: _distribution(optuna, domain) for key, domain in space.items()}
        self._told: dict[int, Any] = {}
        self._file = None if folder is None else Path(folder) / STORAGE

    def ask(self, number: int) -> dict[str, Any]:
        """Return settings that may be better than those that were told."""
        sampler = self._optuna.samplers.TPESampler(
            seed=_seed(self._seed, number), n_startup_trials=self._startup, multivariate=self._together
        )
        study = self._optuna.create_study(direction="maximize", sampler=sampler)
        study.add_trials([self._told[place] for place in sorted(self._told)])
        proposed = study.ask(self._domains).params
        return {key: self._space[key].nearest(value) for key, value in proposed.items()}

    def tell(self, number: int, settings: Mapping[str, Any], score: float | None) -> None:
        """Learn how good a trial was; nothing is learnt from one that failed."""
        states = self._optuna.trial.TrialState
        trial = self._optuna.trial.create_trial(
            state=states.FAIL if score is None else states.COMPLETE,
            params=dict(settings),
            distributions=self._domains,
            value=score,
            user_attrs={"zoo_trial": number},
        )
        self._told[number] = trial
        if self._file is not None:
            self._show(number, trial)

    def _show(self, number: int, trial: Any) -> None:
        """Add a trial to the file, unless it is there as it is: a sweep that goes on tells of all again."""
        study = self._optuna.create_study(
            storage=f"sqlite:///{self._file}", study_name="zoo", direction="maximize", load_if_exists=True
        )
        there = [each for each in study.get_trials(deepcopy=False) if each.user_attrs.get("zoo_trial") == number]
        if not any(each.state == trial.state and each.values == trial.values for each in there):
            study.add_trial(trial)


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
