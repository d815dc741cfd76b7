"""Optuna's pruners, asked anew at each epoch of a trial: what they say follows from the trials' scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zoo_optuna.library import by_epoch, imported


class Percentile:
    """Ends a trial whose best score so far is worse than what a share of the finished ones had at that epoch.

    Args:
        percentile: The share that goes on, in percent, in [0, 100].
        startup: Finished trials before any is ended.
        warmup: Epochs of a trial before it is ended.

    Raises:
        UsageError: If Optuna is not installed.
        ValueError: If an option is outside its range.
    """

    def __init__(self, *, percentile: float = 25.0, startup: int = 5, warmup: int = 0) -> None:
        self._optuna = optuna = imported("the pruners of Optuna need")
        self._pruner = optuna.pruners.PercentilePruner(percentile, n_startup_trials=startup, n_warmup_steps=warmup)

    def keeps(self, scores: Sequence[float], others: Sequence[Any]) -> bool:
        """Return whether a trial with these scores goes on."""
        study = self._optuna.create_study(direction="maximize", pruner=self._pruner)
        study.add_trials([self._trial(other) for other in others if other.scores])
        trial = study.ask()
        for epoch, score in by_epoch(scores).items():
            trial.report(score, epoch)
        return not trial.should_prune()

    def _trial(self, other: Any) -> Any:
        states = self._optuna.trial.TrialState
        return self._optuna.trial.create_trial(
            state=states.COMPLETE if other.finished else states.PRUNED,
            value=max(other.scores),
            intermediate_values=by_epoch(other.scores),
        )


class Median(Percentile):
    """Ends a trial whose best score so far is worse than the median of the finished ones at that epoch.

    Args:
        startup: Finished trials before any is ended.
        warmup: Epochs of a trial before it is ended.

    Raises:
        UsageError: If Optuna is not installed.
        ValueError: If an option is outside its range.

    Source: Golovin et al. 2017.
    """

    def __init__(self, *, startup: int = 5, warmup: int = 0) -> None:
        super().__init__(percentile=50.0, startup=startup, warmup=warmup)
