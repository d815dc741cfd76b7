"""MLflow: a run of its own for each run of zoo's, on a server or in a file."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

import zoo
from zoo_trackers.noting import Tracker

_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
"""Where the user says nothing else: a dead server is given up after seconds; MLflow alone would try for minutes."""


class MLflow(Tracker):
    """Sends settings, measures and results to MLflow.

    Args:
        uri: The store: a server's address, or ``sqlite:///FILE``. If left out, what MLFLOW_TRACKING_URI says, else
            mlflow.db in the working directory.
        experiment: The name under which runs are put together.

    Raises:
        UsageError: If MLflow is not installed.
    """

    name = "mlflow"

    def __init__(self, *, uri: str | None = None, experiment: str = "zoo") -> None:
        super().__init__()
        for variable, value in _PATIENCE.items():
            os.environ.setdefault(variable, value)
        try:
            from mlflow.tracking import MlflowClient
        except ImportError as error:
            raise zoo.UsageError(
                f"the observer 'mlflow' needs MLflow: pip install 'torch-zoo[mlflow]' ({error})"
            ) from error
        self._make, self._experiment = MlflowClient, experiment
        self._uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
        self._client: Any = None
        self._id = ""

    def begin(self, known: str | None, name: str, settings: Mapping[str, Any]) -> str:
        """Begin a run, or go on with the *known* one."""
        client = self._client = self._make(tracking_uri=self._uri)
        if known is not None:
            client.update_run(known, status="RUNNING")
            self._id = known
            return known
        experiment = client.get_experiment_by_name(self._experiment)
        number = client.create_experiment(self._experiment) if experiment is None else experiment.experiment_id
        self._id = client.create_run(number, run_name=name).info.run_id
        self._log(params=[(key, str(value)[:500]) for key, value in settings.items()])
        return self._id

    def last_step(self, noted: int) -> int:  # noqa: ARG002 - the store knows
        """Return the last step of the losses that the store has."""
        return max((each.step for each in self._client.get_metric_history(self._id, "loss")), default=-1)

    def send(self, measures: Mapping[str, float], step: int) -> None:
        """Send an epoch's measures, in one request, so that the store has all of them or none."""
        self._log(metrics=[(key, float(value), step) for key, value in measures.items()])

    def conclude(self, results: Mapping[str, float], step: int) -> None:
        """Send the results and end the run."""
        self._log(metrics=[(key, float(value), step) for key, value in results.items()])
        self._client.set_terminated(self._id, "FINISHED")

    def stop(self, *, interrupted: bool) -> None:
        """End the run as killed or failed; it is running again when it goes on."""
        self._client.set_terminated(self._id, "KILLED" if interrupted else "FAILED")

    def _log(
        self, params: list[tuple[str, str]] | None = None, metrics: list[tuple[str, float, int]] | None = None
    ) -> None:
        from mlflow.entities import Metric, Param

        now = int(time.time() * 1000)
        self._client.log_batch(
            self._id,
            metrics=[Metric(key, value, now, step) for key, value, step in metrics or ()],
            params=[Param(key, value) for key, value in params or ()],
        )
