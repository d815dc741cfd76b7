"""Optuna's samplers as searchers of zoo: ``zoo sweep --searcher optuna/tpe``."""

from __future__ import annotations

import zoo


@zoo.hookimpl
def register(add: zoo.Add) -> None:
    """Register what this package offers."""
    add.searcher("tpe", "zoo_optuna.searchers:TPE", summary="Optuna's tree of Parzen estimators: learns from trials.")
