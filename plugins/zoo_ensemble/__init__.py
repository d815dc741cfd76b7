"""Ensembles: several models that answer as one, as a plugin of zoo."""

from __future__ import annotations

import zoo


@zoo.hookimpl
def register(add: zoo.Add) -> None:
    """Register the model."""
    add.model(
        "ensemble",
        "zoo_ensemble.models:ensemble",
        summary="Several models as one, the mean of their probabilities; 'zoo ensemble' makes it of trained runs.",
    )
