"""A sweep's folder: what its runs have in common, what each was given, and the runs themselves."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from zoo.config import Config, Layer, differing, flattened, nested
from zoo.errors import UsageError
from zoo.records.claims import CLAIMS, Claims
from zoo.records.directory import CONFIG, RunDirectory
from zoo.records.disk import DISK
from zoo.records.lock import RunLock
from zoo.records.sweeps import SWEEP, SweepRecord, holds_sweep, read_sweep, write_sweep

_PATIENCE = 60.0  # seconds to wait for another process, which holds the lock while a searcher proposes or hears


class SweepFolder:
    """The files of one sweep, in which several processes may take part.

    Args:
        path: Its own folder; it need not exist yet.
        question: What makes it this sweep and no other: its kind, and what that needs; plain data.
        config: What all its runs have in common, as it was asked for.
    """

    def __init__(self, path: str | Path, question: Mapping[str, Any], config: Config) -> None:
        self.path = Path(path).expanduser()
        self.claims = Claims(self.path)
        """Which process makes which run."""
        self.settled: dict[str, Any] = {}
        """By key, what a sweep that goes on has recorded where zoo was asked to choose: further runs are given it."""
        self._question, self._config = question, config
        self._given: dict[str, Mapping[str, Any]] = {}  # by run, in the order in which they began

    def open(self) -> None:
        """Begin the sweep, or read what is there of it.

        Raises:
            UsageError: If the folder holds another sweep or something else, or cannot be made.
            DamagedError: If its record is damaged.
        """
        if holds_sweep(self.path):
            self._settle(read_sweep(self.path).config)
            self._read()
            return
        if (self.path / CONFIG).is_file() or not RunDirectory(self.path).is_free:
            raise UsageError(f"{str(self.path)!r} exists and holds something else than a sweep; give another --out")
        RunDirectory(self.path).make()

    def locked(self) -> RunLock:
        """Return a lock, as a context manager, for what one process at a time must do to the folder."""
        return RunLock(self.path, _PATIENCE)

    def concluding(self) -> RunLock:
        """Return a lock, as a context manager, for what is made of all runs at the end.

        It is another than `locked`, so that nobody who still has runs to make waits for a page; and those that are at
        the end, too, wait as long as it takes: a page of large runs costs minutes, and the sweep has succeeded by then.
        """
        place = self.path / CLAIMS
        with suppress(OSError):  # where nothing can be written, all runs are old ones, and so is what is made of them
            place.mkdir(exist_ok=True)
        return RunLock(place if place.is_dir() else self.path, math.inf)

    def holds(self, name: str) -> bool:
        """Whether it is written down what a run was given."""
        return name in self._given

    def given(self, name: str, ask: Callable[[], Mapping[str, Any] | None]) -> Mapping[str, Any] | None:
        """Return the settings that a run was given; one that was given none is given what *ask* returns, if anything.

        They are kept before the run begins, and whoever takes part in the sweep gets the same. A run that is there
        although it was given nothing was copied from another share: it has those that it was made with, and they are
        to be kept once its own process has seen that it is a run of this sweep.

        Raises:
            UsageError: If another sweep was begun here meanwhile.
            DamagedError: If the run that is there is damaged.
            ZooError: If another process goes on holding the folder's lock.
        """
        if self.holds(name):
            return self._given[name]
        with self.locked():
            if holds_sweep(self.path):
                self._read()
            if self.holds(name):
                return self._given[name]
            asked = ask()
            run = RunDirectory(self.directory(name))
            if asked is not None and run.holds_run:
                made = _all({}, run.read_config())
                return {key: made.get(key, value) for key, value in asked.items()}
            return None if asked is None else self._kept(name, asked)

    def keep(self, name: str, settings: Mapping[str, Any]) -> None:
        """Write down what a run was given."""
        with self.locked():
            if holds_sweep(self.path):
                self._read()
            self._kept(name, settings)

    def _kept(self, name: str, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        self._given[name] = dict(settings)
        names, runs = list(self._given), list(self._given.values())
        write_sweep(self.path, SweepRecord(self._question, self._config, names, runs))
        return self._given[name]

    def forget(self) -> None:
        """Remove the record where no run was begun, so that a mended command may use the folder."""
        if not any(RunDirectory(child).holds_run for child in self.path.iterdir()):
            (self.path / SWEEP).unlink(missing_ok=True)
            DISK.remove(self.path / CLAIMS)

    def directory(self, name: str) -> Path:
        """Return the directory of the run with this name."""
        return self.path / name

    def _settle(self, recorded: Config) -> None:
        """Take what was recorded for what was left to zoo, as a run that goes on does.

        So a sweep goes on that was begun before a setting had the value ``auto``, or whose command said more.
        """
        there, here = _all({}, recorded), _all({}, self._config)
        open_keys = [key for key, value in here.items() if value == "auto" and there.get(key, value) != value]
        self.settled = {key: there[key] for key in open_keys}
        layers = [nested(key, value) for key, value in self.settled.items()]
        self._config = Config.from_layers(Layer("what is recorded", each) for each in [self._config.to_dict(), *layers])

    def _read(self) -> None:
        found = read_sweep(self.path)
        recorded, requested = _all(found.question, found.config), _all(self._question, self._config)
        if changed := differing(recorded, requested, recorded.keys() | requested.keys()):
            raise UsageError(f"{self.path} holds another sweep: {'; '.join(changed)}.\nGive another --out.")
        self._given = dict(zip(found.names, found.runs, strict=True))


def _all(question: Mapping[str, Any], config: Config) -> dict[str, Any]:
    # Through JSON, which makes lists of tuples and plain numbers of those that remember how they were typed.
    plain: dict[str, Any] = json.loads(json.dumps(flattened({**config.to_dict(), **question})))
    return plain
