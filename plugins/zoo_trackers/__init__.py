"""Experiment trackers as a plugin of zoo: ``zoo train --observe mlflow``, ``trackio`` or ``wandb``."""

from __future__ import annotations

import zoo


@zoo.hookimpl
def register(add: zoo.Add) -> None:
    """Register the observers."""
    add.observer("mlflow", "zoo_trackers.mlflow_runs:MLflow", summary="Send settings and measures to MLflow.")
    add.observer("trackio", "zoo_trackers.trackio_runs:Trackio", summary="Send settings and measures to Trackio.")
    add.observer("wandb", "zoo_trackers.wandb_runs:WandB", summary="Send settings and measures to Weights & Biases.")
