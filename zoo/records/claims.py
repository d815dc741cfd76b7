"""Which process makes which run of a sweep, where several take part in it.

A run is made by whoever holds its claim, a lock of a folder of its own, which the operating system lets go when the
process ends, however it ends: what a killed process was making is free for the others.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import DamagedError, UsageError
from zoo.records.disk import parse_json, read_bytes, write_atomic
from zoo.records.lock import RunLock, holder, is_locked

CLAIMS = ".claims"

_FAILED = "failed.json"
_MAX_JSON = 2**20  # bytes; the last messages of a process are 2**16


@dataclass(frozen=True)
class Failure:
    """How a run failed.

    Attributes:
        exit_code: Its process's.
        messages: What that told on stderr.
        when: In nanoseconds since 1970, which tells it from an earlier failure of the same run.
    """

    exit_code: int
    messages: str
    when: int


class Claims:
    """The claims of a sweep's runs: those that this process holds, and what the others say of theirs.

    Args:
        folder: The sweep's.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / CLAIMS
        self._held: dict[str, RunLock] = {}

    def take(self, name: str) -> bool:
        """Claim a run, and return whether it is this process's now.

        Raises:
            UsageError: If the folder cannot be written to.
            ZooError: If the file system has no locks.
        """
        place = self._path / name
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot write to {str(place.parent)!r}: {error.strerror}; give another --out") from None
        lock = RunLock(place)
        if not lock.take():
            return False
        self._held[name] = lock
        return True

    def release(self, name: str) -> None:
        """Let a run go that this process holds: it has ended, or another may go on with it."""
        self._held.pop(name).release()

    def release_all(self) -> None:
        """Let all runs go that this process holds."""
        for name in tuple(self._held):
            self.release(name)

    def is_held(self, name: str) -> bool:
        """Whether a living process, this one among them, makes a run."""
        return is_locked(self._path / name)

    def holder(self, name: str) -> str:
        """Return which process makes a run, as ``process 7 on host``."""
        return holder(self._path / name)

    def fail(self, name: str, exit_code: int, messages: str) -> None:
        """Keep how a run failed, for the others; this process holds it. On a full disk, they will try it again."""
        told = {"exit_code": exit_code, "messages": messages, "when": time.time_ns()}
        with suppress(OSError):
            write_atomic(self._path / name / _FAILED, json.dumps(told) + "\n")

    def forgive(self, name: str) -> None:
        """Forget how a run failed that this process holds."""
        (self._path / name / _FAILED).unlink(missing_ok=True)

    def failure(self, name: str) -> Failure | None:
        """Return how a run failed when it was last tried; None where it did not."""
        try:
            return Failure(**parse_json(read_bytes(self._path / name / _FAILED, _MAX_JSON), name))
        except (DamagedError, TypeError):
            return None

    def failures(self) -> Mapping[str, Failure]:
        """Return how runs failed when they were last tried, by name."""
        found = {path.parent.name: self.failure(path.parent.name) for path in self._path.glob(f"*/{_FAILED}")}
        return {name: failure for name, failure in found.items() if failure is not None}
