"""``zoo train --processes N``: start the processes, forward signals, and start them again where that can help."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import click

from zoo.cli.launched import GO_ON, directory_note
from zoo.errors import LostError, UsageError
from zoo.training.place import PARENT, STORE, place

_LOOK = 0.05  # seconds between two looks at the processes
_TERMINATE, _KILL = 20.0, 60.0  # seconds that the others have when one ended, before they are asked to, and made to
_UNITS = {"s": 1, "min": 60, "h": 3600}
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Command:
    """A command that several processes run.

    Attributes:
        arguments: What follows ``zoo``.
        begins: Whether the command, run again, would begin another run rather than go on with its own.
        out: The run's directory, where the command names it.
        program: What stands before the arguments.
    """

    arguments: Sequence[str]
    begins: bool
    out: Path | None
    program: Sequence[str] = (sys.executable, "-m", "zoo")


@dataclass
class _Attempt:
    """The processes of one start.

    Attributes:
        processes: By rank.
        ended: The exit codes of those that ended by themselves, in the order in which they ended.
        since: When the first of them ended otherwise than with 0; None while none has.
    """

    processes: list[subprocess.Popen[bytes]]
    ended: dict[int, int] = field(default_factory=dict)
    since: float | None = None

    def look(self) -> bool:
        """Take up what became of the processes, end those that linger, and say whether any is left."""
        left = [rank for rank, process in enumerate(self.processes) if process.poll() is None]
        for rank, process in enumerate(self.processes):
            if process.returncode is not None and rank not in self.ended:
                self._take_up(rank, process.returncode)
        waited = 0.0 if self.since is None else time.monotonic() - self.since
        for rank in left if waited > _TERMINATE else ():
            # What it is made to do is not what it did: the code says that it was lost with the others.
            self.ended.setdefault(rank, LostError.exit_code)
            self._signal(rank, signal.SIGKILL if waited > _KILL else signal.SIGTERM)
        return bool(left)

    def forward(self, number: int) -> None:
        """Send a signal to all processes."""
        for rank in range(len(self.processes)):
            self._signal(rank, number)

    def _take_up(self, rank: int, code: int) -> None:
        self.ended[rank] = code
        if code and self.since is None:
            self.since = time.monotonic()

    def _signal(self, rank: int, number: int) -> None:
        if self.processes[rank].poll() is None:
            self.processes[rank].send_signal(number)

    def code(self) -> int:
        """Return the run's own exit code: what a process ended with by itself, else that one was lost, or 0."""
        codes = list(self.ended.values())
        own = [code for code in codes if code > 0 and code != LostError.exit_code]
        return own[0] if own else LostError.exit_code if any(codes) else 0

    def killed(self) -> str:
        """Name the processes that a signal ended, and those signals; an empty text for none."""
        return ", ".join(
            f"process {rank} was ended by {signal.Signals(-code).name}" for rank, code in self.ended.items() if code < 0
        )


def seconds(text: str) -> float:
    """Return how long ``10min`` is.

    Raises:
        UsageError: If *text* is no such time.
    """
    found = re.fullmatch(r"([1-9]\d{0,5})\s*(s|min|h)", text.strip())
    if not found:
        raise UsageError(f"--timeout must be such as 30s, 10min or 2h, not {text!r}")
    return float(found[1]) * _UNITS[found[2]]


def refuse_within_others() -> None:
    """See that no launcher has started this process as one of several: each would start several again.

    Raises:
        UsageError: If one has.
    """
    if (here := place()) is not None:
        raise UsageError(
            f"--processes starts them itself, but {here.launcher} has started {here.size} processes already; "
            "leave it out"
        )


def launch(command: Command, processes: int, restarts: int) -> int:
    """Run a command in several processes, and return the run's exit code.

    Args:
        command: What they run.
        processes: How many there are.
        restarts: How often at most all of them are started again, when one was lost. They are not when they got no
            further than before.
    """
    with tempfile.TemporaryDirectory(prefix="zoo-") as name:
        folder, reached = Path(name), None
        for attempt in range(restarts + 1):
            ended, stopped = _attempt(command, processes, folder / f"store-{attempt}")
            code, killed = ended.code(), ended.killed()
            if code != LostError.exit_code or stopped:
                return code
            before, reached = reached, _checkpoints(command, folder)
            if attempt == restarts or reached == before:
                _say(f"{killed or 'a process was lost'}; the same command goes on from the last checkpoint")
                return code
            _say(f"{killed or 'a process was lost'}; starting again, {attempt + 1} of {restarts} times")
    return LostError.exit_code


def _attempt(command: Command, count: int, store: Path) -> tuple[_Attempt, bool]:
    """Start the processes, wait for all, and return what became of them, and whether a signal asked to stop."""
    reading, writing = os.pipe()  # the writing end closes with this process: then the others end, too
    try:
        started = _Attempt([_start(command, rank, count, store, reading) for rank in range(count)])
    finally:
        os.close(reading)
    try:
        with _forwarding(started) as received:
            while started.look():
                time.sleep(_LOOK)
        return started, bool(received)
    finally:
        started.forward(signal.SIGKILL)  # none is left, unless this process itself failed
        os.close(writing)


def _start(command: Command, rank: int, count: int, store: Path, reading: int) -> subprocess.Popen[bytes]:
    told: Mapping[str, object] = {
        STORE: store,
        "RANK": rank,
        "WORLD_SIZE": count,
        "LOCAL_RANK": rank,
        "LOCAL_WORLD_SIZE": count,
        PARENT: reading,
    }
    note = directory_note(store.parent)
    if command.begins and note.exists():
        told = {**told, GO_ON: note.read_text(encoding="utf-8", errors="surrogateescape")}
    return subprocess.Popen(  # noqa: S603 - this very command, as it was given
        [*command.program, *command.arguments],
        env={**os.environ, **{name: str(value) for name, value in told.items()}},
        stdin=subprocess.DEVNULL,
        pass_fds=(reading,),
        start_new_session=True,  # else Ctrl-C at a terminal would reach it twice
    )


@contextmanager
def _forwarding(started: _Attempt) -> Iterator[list[int]]:
    """Send each SIGINT and SIGTERM on to all processes, once, and yield the list of those that came."""
    received: list[int] = []

    def forward(number: int, _: FrameType | None) -> None:
        received.append(number)
        started.forward(number)

    before = {number: signal.signal(number, forward) for number in _SIGNALS}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _checkpoints(command: Command, folder: Path) -> frozenset[str]:
    """Return the names of the run's checkpoints."""
    note = directory_note(folder)
    run = Path(note.read_text(encoding="utf-8", errors="surrogateescape")) if note.exists() else command.out
    return frozenset(path.name for path in (run / "checkpoints").glob("step-*")) if run else frozenset()


def _say(text: str) -> None:
    click.echo(f"zoo: {text}", err=True)
