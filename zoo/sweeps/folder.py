"""A sweep's folder: what its runs have in common, what each was given, and the runs themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.config import Config, differing, flattened
from zoo.errors import UsageError
from zoo.records.directory import CONFIG, RunDirectory
from zoo.records.sweeps import SWEEP, SweepRecord, holds_sweep, read_sweep, write_sweep


class SweepFolder:
    """The files of one sweep.

    Args:
        path: Its own folder; it need not exist yet.
        question: What makes it this sweep and no other: its kind, and what that needs; plain data.
        config: What all its runs have in common, as it was asked for.
    """

    def __init__(self, path: str | Path, question: Mapping[str, Any], config: Config) -> None:
        self.path = Path(path).expanduser()
        self._question, self._config = question, config
        self.given: list[dict[str, Any]] = []
        """The settings that each run was given, in the order in which they began."""
        self._names: list[str] = []

    def open(self) -> None:
        """Begin the sweep, or read what is there of it.

        Raises:
            UsageError: If the folder holds another sweep or something else, or cannot be made.
            DamagedError: If its record is damaged.
        """
        if holds_sweep(self.path):
            self._read()
            return
        if (self.path / CONFIG).is_file() or not RunDirectory(self.path).is_free:
            raise UsageError(f"{str(self.path)!r} exists and holds something else than a sweep; give another --out")
        RunDirectory(self.path).make()

    def give(self, name: str, settings: Mapping[str, Any]) -> None:
        """Keep what the next run is given, before it begins."""
        self._names.append(name)
        self.given.append(dict(settings))
        write_sweep(self.path, SweepRecord(self._question, self._config, self._names, self.given))

    def forget(self) -> None:
        """Remove the record where no run was begun, so that a mended command may use the folder."""
        if not any(RunDirectory(child).holds_run for child in self.path.iterdir()):
            (self.path / SWEEP).unlink(missing_ok=True)

    def directory(self, name: str) -> Path:
        """Return the directory of the run with this name."""
        return self.path / name

    def _read(self) -> None:
        found = read_sweep(self.path)
        recorded, requested = _all(found.question, found.config), _all(self._question, self._config)
        if changed := differing(recorded, requested, recorded.keys() | requested.keys()):
            raise UsageError(f"{self.path} holds another sweep: {'; '.join(changed)}.\nGive another --out.")
        self._names, self.given = list(found.names), [dict(settings) for settings in found.runs]


def _all(question: Mapping[str, Any], config: Config) -> dict[str, Any]:
    # Through JSON, which makes lists of tuples and plain numbers of those that remember how they were typed.
    plain: dict[str, Any] = json.loads(json.dumps(flattened({**config.to_dict(), **question})))
    return plain
