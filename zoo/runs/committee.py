"""Ensembles among trained models."""

from __future__ import annotations

from zoo.config import Config

ENSEMBLE = "ensemble/ensemble"
"""The registered model whose option ``members`` tells which models it is made of."""


def is_ensemble(config: Config) -> bool:
    """Tell whether the model of a run is an ensemble."""
    return config.model.name == ENSEMBLE


def is_put_together(config: Config, step: int) -> bool:
    """Tell whether a run is an ensemble of others, which took no *step* itself, and not one that was trained as one."""
    return is_ensemble(config) and step == 0
