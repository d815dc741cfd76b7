"""Carrying out a sweep: which run comes next, its process, and what became of it."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from zoo.records.directory import ended_summary
from zoo.records.lock import RunLock, is_locked
from zoo.records.sweeps import score_of
from zoo.sweeps.folder import SweepFolder
from zoo.sweeps.processes import RunProcess
from zoo.sweeps.pruning import Pruning
from zoo.training.leash import LEASH

_PAUSE = 0.05  # seconds between looks at the processes
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
        was_finished: Whether an earlier call finished it.
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
    """The runs of a sweep, one at a time or several.

    A run that is finished is kept, one that is not goes on, and one that failed is tried again.

    Attributes:
        folder: Where they are; open.
        plan: Which they are.
        command: Of each process, to which ``--set KEY=VALUE`` and ``--out DIR`` are added.
        jobs: How many run at a time.
        variables: Further ones of each process's environment.
        pruning: Says which go on after an epoch; None where all do.
    """

    folder: SweepFolder
    plan: Plan
    command: Sequence[str]
    jobs: int = 1
    variables: Mapping[str, str] = field(default_factory=dict)
    pruning: Pruning | None = None
    _running: dict[int, tuple[Outcome, RunProcess]] = field(default_factory=dict, init=False)

    def carry_out(self) -> Generator[Outcome, None, None]:
        """Yield what became of each run as it ends; whatever ends the iteration ends the processes.

        Raises:
            ZooError: If another process carries out the same sweep.
        """
        with RunLock(self.folder.path):
            try:
                yield from self._outcomes()
            finally:
                for _, process in self._running.values():
                    process.ask_to_end()
                for _, process in self._running.values():
                    process.end()

    def _outcomes(self) -> Iterator[Outcome]:
        number, more = 0, True
        while more or self._running:
            while more and len(self._running) < self.jobs:
                run = self._next(number)
                more = run is not None
                if run is not None and run.summary:
                    self.plan.tell(run)
                    yield run
                elif run is not None:
                    self._running[number] = run, self._started(run)
                number += 1
            self._watch()
            for outcome in self._ended():
                self.plan.tell(outcome)
                yield outcome

    def _next(self, number: int) -> Outcome | None:
        """Return a run as it stands on the disk; None where there are no more."""
        if number >= self.plan.count:
            return None
        name = self.plan.name(number)
        if number >= len(self.folder.given):
            asked = self.plan.ask(number)
            if asked is None:
                return None
            self.folder.give(name, asked)
        directory = self.folder.directory(name)
        return Outcome(number, name, self.folder.given[number], directory, ended_summary(directory), was_finished=True)

    def _started(self, run: Outcome) -> RunProcess:
        _wait_for(lambda: not is_locked(run.directory), _PATIENCE)
        settings = [f"--set={key}={json.dumps(value)}" for key, value in _names_first(run.settings)]
        leash = {LEASH: "1"} if self.pruning is not None else {}
        process = RunProcess([*self.command, *settings, f"--out={run.directory}"], {**self.variables, **leash})
        if self.pruning is not None:
            process.tell(self.pruning.begun(run.number, run.directory))
        return process

    def _watch(self) -> None:
        """Tell each run that waits after an epoch whether to go on."""
        if self.pruning is None:
            return
        for number, (run, process) in self._running.items():
            before = (self.folder.directory(self.plan.name(each)) for each in range(number))
            if line := self.pruning.told(number, run.directory, before):
                process.tell(line)

    def _ended(self) -> Iterator[Outcome]:
        """Yield the runs whose processes have ended meanwhile, after a pause where none has."""
        ended = [number for number, (_, process) in self._running.items() if process.has_ended]
        if not ended:
            time.sleep(_PAUSE)
        for number in ended:
            run, process = self._running.pop(number)
            code, messages = process.end()
            summary = ended_summary(run.directory)
            yield dataclasses.replace(run, summary=summary, exit_code=code, messages=messages, was_finished=False)


def _names_first(settings: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the settings in an order in which a name does not drop its own options."""
    return sorted(settings.items(), key=lambda setting: not setting[0].endswith((".name", ".names")))


def _wait_for(condition: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(_PAUSE)
