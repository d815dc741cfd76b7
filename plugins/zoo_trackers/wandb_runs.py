"""Weights & Biases: a run of its own for each run of zoo's, on its server, or in files that are uploaded later."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import zoo
from zoo_trackers.noting import Tracker

_PATIENCE = {"init_timeout": 10.0, "finish_timeout": 60.0}
"""Seconds, where the user says nothing else by WANDB_INIT_TIMEOUT or WANDB_FINISH_TIMEOUT: W&B alone waits 90 for a
server when it begins, and for ever when it ends."""


class WandB(Tracker):
    """Sends settings, measures and results to Weights & Biases.

    Its files are in the folder wandb of the run's directory, unless WANDB_DIR says otherwise. Offline they hold the
    whole run from its first step on, also where it was killed and went on: what ``wandb sync`` uploads from them begins
    at the first row of the server's history, so it replaces rows and never adds one twice.

    Args:
        project: The name under which runs are put together. If left out, what WANDB_PROJECT says, else zoo.
        mode: Whether a server is told at once, or ``wandb sync`` tells it later. If left out, what WANDB_MODE says,
            else online.

    Raises:
        UsageError: If wandb is not installed.
    """

    name = "wandb"

    def __init__(self, *, project: str | None = None, mode: Literal["online", "offline"] | None = None) -> None:
        super().__init__()
        try:
            import wandb
        except ImportError as error:
            raise zoo.UsageError(f"the observer 'wandb' needs W&B: pip install 'torch-zoo[wandb]' ({error})") from error
        self._wandb: Any = wandb
        self._project = project or os.environ.get("WANDB_PROJECT") or "zoo"
        self._mode = mode
        self._run: Any = None

    def begin(self, known: str | None, name: str, settings: Mapping[str, Any]) -> str:
        """Begin a run, or go on with the *known* one."""
        patience = {key: value for key, value in _PATIENCE.items() if f"WANDB_{key.upper()}" not in os.environ}
        self._run = self._wandb.init(
            id=known or uuid.uuid4().hex,
            name=name,
            project=self._project,
            config=dict(settings),
            mode=self._mode,
            dir=os.environ.get("WANDB_DIR") or str(self.directory),
            resume="allow",
            reinit="create_new",
            save_code=False,
            # Of what it would print nothing is zoo's, and it would keep every state of a progress bar.
            settings=self._wandb.Settings(console="off", silent=True, **patience),
        )
        found = str(self._run.id)
        if known is not None:
            _remove_earlier(Path(self._run.settings.sync_dir), found)
        return found

    def last_step(self, noted: int) -> int:  # noqa: ARG002 - the server knows, and a new file holds nothing
        """Return the last step that the server has; offline none, so that the new file is whole by itself."""
        return -1 if self._run.offline else self._run.starting_step - 1

    def send(self, measures: Mapping[str, float], step: int) -> None:
        """Send an epoch's measures."""
        self._run.log(dict(measures), step=step, commit=True)

    def conclude(self, results: Mapping[str, float], step: int) -> None:  # noqa: ARG002 - that step's row is written
        """Send the results, which stand in the run's summary, and end the run."""
        self._run.summary.update(results)
        self._run.finish()

    def stop(self, *, interrupted: bool) -> None:
        """End the run as preempted or failed; it is running again when it goes on."""
        if interrupted:
            self._run.mark_preempting()
        self._run.finish(exit_code=1)


def _remove_earlier(own: Path, run: str) -> None:
    """Remove what earlier processes left of the run offline, which its *own* folder holds too."""
    for folder in own.parent.glob(f"offline-run-*-{run}*"):
        if folder != own:
            shutil.rmtree(folder, ignore_errors=True)
