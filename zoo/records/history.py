"""The runs in a folder, and how each stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import DamagedError, UsageError, ZooError
from zoo.records.directory import RunDirectory
from zoo.records.lock import is_locked


@dataclass(frozen=True)
class PastRun:
    """A run as its files tell of it.

    Attributes:
        directory: Where it is.
        status: ``finished``, ``running``, ``interrupted``, ``failed``, ``pruned``, ``killed`` where its process is gone
            without a word, or ``damaged``.
        summary: What summary.json holds; empty where that is damaged or missing.
        damages: What is seen to be damaged in it, a line each; its checkpoints' bytes are not read for it.
    """

    directory: Path
    status: str
    summary: dict[str, Any]
    damages: tuple[str, ...]


def list_runs(folder: str | Path = "runs") -> list[PastRun]:
    """Return the runs in *folder*, by name, which is by time where zoo chose the names.

    Raises:
        UsageError: If there is no such folder.
    """
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise UsageError(f"there is no folder {str(folder)!r}; 'zoo train --model cnn_dropout' makes the first run")
    directories = [RunDirectory(child) for child in sorted(path.iterdir()) if child.is_dir()]
    return [_past_run(directory) for directory in directories if directory.holds_run]


def _past_run(directory: RunDirectory) -> PastRun:
    damages, summary = [], {}
    try:
        summary = directory.read_summary()
    except DamagedError as error:
        damages.append(str(error))
    status = "damaged" if damages and not is_locked(directory.path) else status_of(directory, summary)
    try:
        damages += [str(damage) for damage in directory.checkpoints.visible_damages()]
    except ZooError as error:
        damages.append(str(error))
    return PastRun(directory.path, status, summary, tuple(damages))


def status_of(directory: RunDirectory, summary: Mapping[str, Any]) -> str:
    """Return how a run stands, as `PastRun` tells it: from its summary, and from whether a process holds its lock."""
    recorded = str(summary.get("status", "damaged" if summary else "running"))
    if is_locked(directory.path):
        return "running"
    return "killed" if recorded == "running" else recorded


def model_in_words(summary: Mapping[str, Any]) -> str:
    """Return what a run's model is called; of an ensemble also what it is made of, as in ``2 cnn/cnn_dropout``."""
    name = str(summary.get("model", "?"))
    counts = Counter(str(member.get("model", "?")) for member in summary.get("members", ()))
    return f"{name} of {', '.join(f'{count} {model}' for model, count in counts.items())}" if counts else name
