"""Optuna's samplers and pruners for searches: ``zoo sweep --searcher optuna/tpe --prune optuna/median``."""

from __future__ import annotations

import zoo


@zoo.hookimpl
def register(add: zoo.Add) -> None:
    """Register what this package offers."""
    add.searcher("tpe", "zoo_optuna.searchers:TPE", summary="Optuna's tree of Parzen estimators: learns from trials.")
    add.pruner("median", "zoo_optuna.pruners:Median", summary="Optuna's: ends what is worse than the median trial.")
    add.pruner("percentile", "zoo_optuna.pruners:Percentile", summary="Optuna's: ends what is not in the best share.")
