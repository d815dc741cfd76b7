"""Trackio: a run of its own for each run of zoo's, in a database on this machine."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import zoo
from zoo_trackers.noting import Tracker


class Trackio(Tracker):
    """Sends settings, measures and results to Trackio, whose database ``trackio show`` shows.

    Args:
        project: The name under which runs are put together. TRACKIO_DIR says where the database is.

    Raises:
        UsageError: If trackio is not installed.
    """

    name = "trackio"

    def __init__(self, *, project: str = "zoo") -> None:
        super().__init__()
        try:
            from trackio.sqlite_storage import SQLiteStorage
        except ImportError as error:
            raise zoo.UsageError(
                f"the observer 'trackio' needs trackio: pip install 'torch-zoo[trackio]' ({error})"
            ) from error
        # Its own log() prints, and queues in a thread what a kill would lose; this returns when it is written.
        self._storage: Any = SQLiteStorage
        self._project, self._run, self._id = project, "", ""
        self._settings: Mapping[str, Any] = {}

    def begin(self, known: str | None, name: str, settings: Mapping[str, Any]) -> str:
        """Begin a run, or go on with the *known* one; it is in the database from its first epoch on."""
        self._run, self._id, self._settings = name, known or uuid.uuid4().hex, settings
        return self._id

    def last_step(self, noted: int) -> int:  # noqa: ARG002 - the database knows
        """Return the last step that the database has."""
        found = self._storage.get_max_step_for_run(self._project, self._run, run_id=self._id)
        return -1 if found is None else int(found)

    def send(self, measures: Mapping[str, float], step: int) -> None:
        """Send an epoch's measures."""
        config = dict(self._settings)
        self._storage.bulk_log(self._project, self._run, [dict(measures)], [step], config=config, run_id=self._id)

    def conclude(self, results: Mapping[str, float], step: int) -> None:
        """Send the results."""
        self.send(results, step)

    def stop(self, *, interrupted: bool) -> None:
        """Do nothing: Trackio knows no status."""
