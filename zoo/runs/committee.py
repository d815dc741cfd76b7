"""Ensembles among trained models."""

from __future__ import annotations

from zoo.config import Config

ENSEMBLE = "ensemble/ensemble"
"""The registered model whose option ``members`` tells which models it is made of."""


def is_ensemble(config: Config) -> bool:
    """Tell whether the model of a run is an ensemble."""
    return config.model.name == ENSEMBLE
