"""A sweep from what was asked for: its runs' common settings, its folder, and which runs there are."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.config import SEVERAL, SINGLE, Choice, Config, fold_of
from zoo.errors import UsageError, ZooError
from zoo.records.directory import new_path
from zoo.registry import kind_of_section, registry
from zoo.sweeps.folder import SweepFolder
from zoo.sweeps.folds import Folds, out_of_fold
from zoo.sweeps.pruning import Pruning
from zoo.sweeps.result import SweepResult
from zoo.sweeps.runs import Outcome, Plan, Runs
from zoo.sweeps.seeds import Seeds
from zoo.training.place import PARENT

_PROGRAM = (sys.executable, "-P", "-m", "zoo", "train")  # -P: what lies in the working directory is nobody's module
_HEEDS = {PARENT: "0"}  # a run's process ends when its standard input does
_WRONG = (2, 3)  # exit codes of what no further run would do better: wrong usage, a broken plugin


@dataclass(frozen=True)
class Asked:
    """What all runs of a sweep have in common, and how they are carried out.

    Attributes:
        config: Their settings, as they were asked for.
        arguments: The same as ``zoo train`` is given them.
        out: The sweep's own folder; None for a new one under runs/.
        jobs: How many runs go at a time.
        share: I and K of ``"I/K"``: of all runs in turn, every K-th from the I-th on; None for all.
    """

    config: Config
    arguments: Sequence[str]
    out: Path | None = None
    jobs: int = 1
    share: tuple[int, int] | None = None


@dataclass(frozen=True)
class Sweep:
    """A sweep that is about to be carried out, or a share of it.

    Attributes:
        runs: Its runs.
        title: What they are, for a line.
        kind: ``"seeds"``, ``"folds"`` or ``"search"``.
    """

    runs: Runs
    title: str
    kind: str

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.runs.folder.path

    @property
    def heading(self) -> str:
        """What it is and where, for a line."""
        runs = self.runs
        share = f", share {runs.first + 1}/{runs.step}" if runs.step > 1 else ""
        return f"{self.title}{share}, in {self.path}"

    def carry_out(self, notice: Callable[[str], object]) -> Iterator[Outcome]:
        """Yield what became of each run as it ends; whatever ends the iteration ends the processes.

        Args:
            notice: Told which runs of other processes are waited for.

        Raises:
            ZooError: If the very first run is refused, as all others would be, with its words and its exit code.
        """
        with closing(self.runs.carry_out(notice)) as ended:
            for place, outcome in enumerate(ended):
                if outcome.exit_code in _WRONG and self.kind != "search" and not place:
                    with self.runs.folder.locked():
                        self.runs.folder.forget()
                    raise _RefusedError(outcome)
                yield outcome


def concluded(sweep: Sweep, outcomes: Sequence[Outcome], notice: Callable[[str], None]) -> SweepResult:
    """Return what a sweep came to; its page is written, and the predictions of all folds are kept as one evaluation.

    Args:
        sweep: The sweep.
        outcomes: Of its runs.
        notice: Told where the page cannot be written.

    Raises:
        ZooError: If the predictions cannot be read, or the file system has no locks.
    """
    from zoo.reports.report import report_if_possible  # with the library that makes pages, which runs do not wait for

    runs = tuple(sorted(outcomes, key=lambda outcome: outcome.number))
    done = [run for run in runs if run.finished]
    with sweep.runs.folder.concluding():  # whoever else took part in it is at its end now, too
        pooled = out_of_fold(sweep.path, done) if sweep.kind == "folds" and done else None
        report_if_possible(sweep.path, notice)
    return SweepResult(sweep.path, sweep.kind, runs, pooled)


class _RefusedError(ZooError):
    """The first run was refused, as any other would be, with these words."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.messages.removeprefix("zoo: "))
        self.exit_code = outcome.exit_code


def over_seeds(asked: Asked, count: int) -> Sweep:
    """Return the sweep over seeds that was asked for.

    Raises:
        UsageError: If a name is wrong, or the folder holds something else.
    """
    asked = with_full_names(asked)
    config = asked.config
    runs = runs_of(asked, Seeds(config.train.seed, count), {"kind": "seeds"})
    last = config.train.seed + count - 1
    return Sweep(runs, f"{config.model.name} on {config.data.name}, seeds {config.train.seed} to {last}", "seeds")


def over_folds(asked: Asked, count: int) -> Sweep:
    """Return the cross-validation that was asked for.

    Raises:
        UsageError: If a name is wrong, images are held out otherwise, or the folder holds something else.
    """
    asked = with_full_names(asked)
    config = asked.config
    if config.train.validation is not None or config.train.fold is not None:
        raise UsageError("--folds holds each part of the images out in turn; leave --validation and --fold out")
    runs = runs_of(asked, Folds(count), {"kind": "folds", "folds": count})
    return Sweep(runs, f"{config.model.name} on {config.data.name}, {count} folds", "folds")


def runs_of(asked: Asked, plan: Plan, question: dict[str, Any], pruning: Pruning | None = None) -> Runs:
    """Return the runs of a sweep, its folder open.

    Raises:
        UsageError: If the folder holds something else.
    """
    config = asked.config
    folder = SweepFolder(place_of(asked, question["kind"]), question, config)
    folder.open()
    arguments = [*asked.arguments, *(f"--set={key}={json.dumps(value)}" for key, value in folder.settled.items())]
    if asked.jobs > 1 and config.train.threads is None:  # each would take all cores
        arguments.append(f"--threads={max(1, (os.cpu_count() or 1) // asked.jobs)}")
    first, step = asked.share or (1, 1)
    return Runs(folder, plan, [*_PROGRAM, *arguments, "--json"], asked.jobs, _HEEDS, pruning, first - 1, step)


def share_of(text: str | None) -> tuple[int, int] | None:
    """Return the share that was asked for as ``"I/K"``; None of None.

    Raises:
        UsageError: If it is of another form.
    """
    try:
        return None if text is None else fold_of(text)
    except ValueError:
        raise UsageError(f"the share {text!r} is not I/K, such as 1/3: I from 1 to K, and K at least 2") from None


def place_of(asked: Asked, kind: str) -> Path:
    """Return the sweep's folder: what was asked for, or a new one under runs/."""
    return asked.out or new_path(asked.config.model.name, f"{asked.config.data.name}-{kind}")


def with_full_names(asked: Asked) -> Asked:
    """Return what was asked for with every entry's full name, which means the same whatever is installed later.

    Raises:
        UnknownNameError: If there is no such entry.
    """
    found: dict[str, Any] = {}
    for section in SINGLE:
        found[section] = _with_full_name(section, getattr(asked.config, section))
    for section in SEVERAL:
        found[section] = tuple(_with_full_name(section, choice) for choice in getattr(asked.config, section))
    return dataclasses.replace(asked, config=dataclasses.replace(asked.config, **found))


def _with_full_name(section: str, choice: Choice) -> Choice:
    entry = registry().find(kind_of_section(section).plural, choice.name)
    return dataclasses.replace(choice, name=entry.full_name)
