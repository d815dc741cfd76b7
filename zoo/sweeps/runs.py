"""Carrying out a sweep: which run comes next, its process, and what became of it."""

from __future__ import annotations

import dataclasses
import itertools
import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from zoo.records.claims import Failure
from zoo.records.directory import ended_summary
from zoo.records.lock import is_locked
from zoo.records.sweeps import score_of
from zoo.sweeps.folder import SweepFolder
from zoo.sweeps.processes import RunProcess
from zoo.sweeps.pruning import Pruning
from zoo.training.leash import LEASH

_PAUSE = 0.05  # seconds between looks at the processes, at least
_LONGEST = 1.0  # at most
_PATIENCE = 60.0  # seconds for what a killed sweep left running to save its state and end


@dataclass(frozen=True)
class Outcome:
    """What became of one run of a sweep.

    Attributes:
        number: From 0.
        name: Its directory's name.
        settings: What sets it apart, by key.
        directory: Its run directory, which may be missing where it failed before it began.
        summary: What summary.json holds; empty where it failed.
        exit_code: Its process's, 0 of a finished run; negative where a signal killed it.
        messages: What its process told on stderr.
        was_finished: Whether it had ended when this call came to it: by an earlier one, or in another process.
    """

    number: int
    name: str
    settings: Mapping[str, Any]
    directory: Path
    summary: Mapping[str, Any]
    exit_code: int = 0
    messages: str = ""
    was_finished: bool = False

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        return self.summary.get("status") == "finished"

    @property
    def pruned(self) -> bool:
        """Whether its sweep ended it after an epoch, as others were better."""
        return self.summary.get("status") == "pruned"

    @property
    def status(self) -> str:
        """``"finished"``, ``"pruned"`` or ``"failed"``."""
        return "finished" if self.finished else "pruned" if self.pruned else "failed"

    @property
    def reached(self) -> float | None:
        """How good it is on the validation images, as far as it came, by what the run selects epochs by."""
        return score_of(self.summary, self.summary.get("select", "accuracy")) if self.summary else None

    @property
    def score(self) -> float | None:
        """How good it is on the validation images, by what the run selects epochs by: higher is better.

        None of a run that failed, was pruned or had no validation images.
        """
        return self.reached if self.finished else None

    def document(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "name": self.name,
            "directory": str(self.directory),
            "settings": dict(self.settings),
            "status": self.status,
            "summary": dict(self.summary) or None,
            "exit_code": self.exit_code,
            "messages": "" if self.summary else " ".join(self.messages.split()),
        }


class Plan(Protocol):
    """Which runs there are."""

    @property
    def count(self) -> int:
        """How many runs there are at most."""

    def name(self, number: int) -> str:
        """Return the name of a run's directory."""

    def ask(self, number: int) -> Mapping[str, Any] | None:
        """Return the settings of a run that was given none yet, by key; None where there are no more."""

    def tell(self, outcome: Outcome) -> None:
        """Hear what became of a run."""


@dataclass
class Runs:
    """The runs of a sweep, one at a time or several, some of which other processes may make.

    A run that is finished is kept, one that is not goes on, and one that failed is tried again.

    Attributes:
        folder: Where they are; open.
        plan: Which they are.
        command: Of each process, to which ``--set KEY=VALUE`` and ``--out DIR`` are added.
        jobs: How many run at a time.
        variables: Further ones of each process's environment.
        pruning: Says which go on after an epoch; None where all do.
        first: The number of the first run of this process's share.
        step: From one of its runs to the next; those between are of other shares, and nobody is waited for.
    """

    folder: SweepFolder
    plan: Plan
    command: Sequence[str]
    jobs: int = 1
    variables: Mapping[str, str] = field(default_factory=dict)
    pruning: Pruning | None = None
    first: int = 0
    step: int = 1
    _next: int = field(default=0, init=False)  # the least number that was not looked at yet
    _elsewhere: list[int] = field(default_factory=list, init=False)  # runs that other processes make
    _running: dict[int, tuple[Outcome, RunProcess]] = field(default_factory=dict, init=False)
    _failed_before: Mapping[str, Failure] = field(default_factory=dict, init=False)
    _waited_for: set[str] = field(default_factory=set, init=False)

    def carry_out(self, notice: Callable[[str], object] = str) -> Generator[Outcome, None, None]:
        """Yield what became of each run as it ends; whatever ends the iteration ends the processes.

        Several processes may carry out one sweep: each run is made by one of them, and all hear of all.

        Args:
            notice: Told which runs of other processes are waited for, when there is nothing else to do.

        Raises:
            ZooError: If another process goes on holding the folder's lock.
        """
        self._next = self.first
        self._failed_before = self.folder.claims.failures()
        try:
            yield from self._outcomes(notice)
        finally:
            for _, process in self._running.values():
                process.ask_to_end()
            for _, process in self._running.values():
                process.end()
            self.folder.claims.release_all()

    def _outcomes(self, notice: Callable[[str], object]) -> Iterator[Outcome]:
        pause = Pause()
        while self._running or self._elsewhere or self._next < self.plan.count:
            for outcome in itertools.chain(self._begin(), self._ended()):
                with self.folder.locked():
                    self.plan.tell(outcome)
                pause.interrupt()
                yield outcome
            if self._watch():
                pause.interrupt()
            if not self._running and self._next >= self.plan.count:
                self._wait_for_others(notice)
            pause.wait()

    def _begin(self) -> Iterator[Outcome]:
        """Start as many runs as may go at a time; yield those that turn out to have ended already."""
        again, self._elsewhere = self._elsewhere, []
        while len(self._running) < self.jobs and (again or self._next < self.plan.count):
            number = again.pop(0) if again else self._new()
            run = self._run(number)
            if run is None:
                self._next = self.plan.count
            elif self.folder.claims.is_held(run.name):
                self._elsewhere.append(number)
            elif ended := self._as_ended(run):
                yield ended
            elif self.folder.claims.take(run.name):
                if ended := self._as_ended(run):  # by another process, meanwhile
                    self.folder.claims.release(run.name)
                    yield ended
                else:
                    self._running[number] = run, self._started(run)
            else:
                self._elsewhere.append(number)
        self._elsewhere += again

    def _new(self) -> int:
        """Return the least number of this share that was not looked at yet."""
        number, self._next = self._next, self._next + self.step
        return number

    def _run(self, number: int) -> Outcome | None:
        """Return a run, with what it was given; None where there are no more."""
        name = self.plan.name(number)
        settings = self.folder.given(name, lambda: self.plan.ask(number))
        return None if settings is None else Outcome(number, name, settings, self.folder.directory(name), {})

    def _as_ended(self, run: Outcome) -> Outcome | None:
        """Return a run that was made before or elsewhere; None where it is to be made, or tried again."""
        if (summary := ended_summary(run.directory)) and self.folder.holds(run.name):
            return dataclasses.replace(run, summary=summary, was_finished=True)
        failure = self.folder.claims.failure(run.name)
        if failure is None or failure == self._failed_before.get(run.name):
            return None
        return dataclasses.replace(run, exit_code=failure.exit_code, messages=failure.messages, was_finished=True)

    def _started(self, run: Outcome) -> RunProcess:
        _wait_for(lambda: not is_locked(run.directory), _PATIENCE)
        settings = [f"--set={key}={json.dumps(value)}" for key, value in _names_first(run.settings)]
        leash = {LEASH: "1"} if self.pruning is not None else {}
        process = RunProcess([*self.command, *settings, f"--out={run.directory}"], {**self.variables, **leash})
        if self.pruning is not None:
            process.tell(self.pruning.begun(run.number, run.directory))
        return process

    def _watch(self) -> bool:
        """Tell each run that waits after an epoch whether to go on, and return whether there was one."""
        if self.pruning is None:
            return False
        told = False
        for number, (run, process) in self._running.items():
            before = (self.folder.directory(self.plan.name(each)) for each in range(number))
            if line := self.pruning.told(number, run.directory, before):
                process.tell(line)
                told = True
        return told

    def _wait_for_others(self, notice: Callable[[str], object]) -> None:
        """Tell, once of each, which runs are waited for."""
        for name in map(self.plan.name, self._elsewhere):
            if name not in self._waited_for and self.folder.claims.is_held(name):
                self._waited_for.add(name)
                notice(f"{name} is made by {self.folder.claims.holder(name)}; it is waited for")

    def _ended(self) -> Iterator[Outcome]:
        """Yield the runs whose processes have ended meanwhile."""
        for number in [number for number, (_, process) in self._running.items() if process.has_ended]:
            run, process = self._running.pop(number)
            code, messages = process.end()
            summary = ended_summary(run.directory)
            if not self.folder.holds(run.name):  # it was copied, and its process has seen whether it is ours
                if code:
                    summary = {}
                else:
                    self.folder.keep(run.name, run.settings)
            if summary:
                self.folder.claims.forgive(run.name)
            else:
                self.folder.claims.fail(run.name, code, messages)
            self.folder.claims.release(run.name)
            yield dataclasses.replace(run, summary=summary, exit_code=code, messages=messages)


class Pause:
    """Waits between looks at what goes on: the longer, the longer nothing has happened, by a hundredth of that time.

    So what is looked at costs next to nothing, and is seen late by next to nothing.
    """

    def __init__(self) -> None:
        self._since, self._interrupted = time.monotonic(), False

    def interrupt(self) -> None:
        """Something has happened, so what follows may be soon."""
        self._since, self._interrupted = time.monotonic(), True

    def wait(self) -> None:
        """Wait, unless something has happened since it was last called."""
        if not self._interrupted:
            time.sleep(min(_LONGEST, max(_PAUSE, (time.monotonic() - self._since) / 100)))
        self._interrupted = False


def _names_first(settings: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the settings in an order in which a name does not drop its own options."""
    return sorted(settings.items(), key=lambda setting: not setting[0].endswith((".name", ".names")))


def _wait_for(condition: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(_PAUSE)
