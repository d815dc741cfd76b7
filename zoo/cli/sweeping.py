"""Several runs from one command: what they have in common, each run's process, and what is told of them."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from zoo.cli.launched import PARENT
from zoo.cli.output import one_line, percent, write_json
from zoo.config import SEVERAL, SINGLE, Choice, Config
from zoo.errors import ZooError
from zoo.records.directory import new_path
from zoo.registry import kind_of_section, registry
from zoo.sweeps.folder import SweepFolder
from zoo.sweeps.runs import Outcome, Plan, Runs
from zoo.sweeps.search import ranked
from zoo.sweeps.seeds import Seeds, means

if TYPE_CHECKING:
    from zoo.reports.statistics import Mean

Command = TypeVar("Command", bound=Callable[..., Any])

_PROGRAM = (sys.executable, "-P", "-m", "zoo", "train")  # -P: what lies in the working directory is nobody's module
_HEEDS = {PARENT: "0"}  # a run's process ends when its standard input does
_WRONG = (2, 3)  # exit codes of what no further run would do better: wrong usage, a broken plugin


@dataclass(frozen=True)
class Asked:
    """What all runs of a sweep have in common.

    Attributes:
        config: Their settings, as they were asked for.
        arguments: The same as ``zoo train`` is given them.
    """

    config: Config
    arguments: Sequence[str]


@dataclass(frozen=True)
class Sweep:
    """A sweep that is about to be carried out.

    Attributes:
        runs: Its runs.
        title: What they are, for a line.
        tell_ranks: Tells of the runs of a search, the best first; None where their mean is told.
    """

    runs: Runs
    title: str
    tell_ranks: Callable[[Sequence[Outcome]], None] | None = None

    @property
    def is_search(self) -> bool:
        """Whether the runs are ranked; else their mean is taken."""
        return self.tell_ranks is not None


@dataclass(frozen=True)
class Told:
    """How a command prints."""

    quiet: bool
    as_json: bool


def seeds_option(command: Command) -> Command:
    """Add ``--seeds``."""
    return click.option(
        "--seeds",
        metavar="N",
        type=click.IntRange(min=2),
        help="Train N times, with seeds from --seed on, and tell the mean with its interval; --out holds the runs.",
    )(command)


def over_seeds(asked: Asked, out: Path | None, count: int, jobs: int = 1) -> Sweep:
    """Return the sweep over seeds that was asked for.

    Raises:
        UsageError: If a name is wrong, or the folder holds something else.
    """
    config = with_full_names(asked.config)
    plan = Seeds(config.train.seed, count)
    runs = runs_of(dataclasses.replace(asked, config=config), out, plan, {"kind": "seeds"}, jobs)
    last = config.train.seed + count - 1
    return Sweep(runs, f"{config.model.name} on {config.data.name}, seeds {config.train.seed} to {last}")


def runs_of(asked: Asked, out: Path | None, plan: Plan, question: dict[str, Any], jobs: int) -> Runs:
    """Return the runs of a sweep, its folder open.

    Raises:
        UsageError: If the folder holds something else.
    """
    config = asked.config
    path = out or new_path(config.model.name, f"{config.data.name}-{question['kind']}")
    folder = SweepFolder(path, question, config)
    folder.open()
    arguments = list(asked.arguments)
    if jobs > 1 and config.train.threads is None:  # each would take all cores
        arguments.append(f"--threads={max(1, (os.cpu_count() or 1) // jobs)}")
    return Runs(folder, plan, [*_PROGRAM, *arguments, "--json"], jobs, _HEEDS)


def with_full_names(config: Config) -> Config:
    """Return the configuration with every entry's full name, which means the same whatever is installed later.

    Raises:
        UnknownNameError: If there is no such entry.
    """
    found: dict[str, Any] = {}
    for section in SINGLE:
        found[section] = _with_full_name(section, getattr(config, section))
    for section in SEVERAL:
        found[section] = tuple(_with_full_name(section, choice) for choice in getattr(config, section))
    return dataclasses.replace(config, **found)


def _with_full_name(section: str, choice: Choice) -> Choice:
    entry = registry().find(kind_of_section(section).plural, choice.name)
    return dataclasses.replace(choice, name=entry.full_name)


def carry_out(sweep: Sweep, told: Told) -> int:
    """Carry out a sweep, tell of each run as it ends and of all at the end, and return the exit code."""
    silent = told.quiet or told.as_json
    if not silent:
        click.echo(f"{sweep.title}, in {sweep.runs.folder.path}")
    outcomes: list[Outcome] = []
    with closing(sweep.runs.carry_out()) as ended:
        for outcome in ended:
            outcomes.append(outcome)
            if outcome.exit_code in _WRONG and not sweep.is_search and len(outcomes) == 1:
                sweep.runs.folder.forget()
                raise _RefusedError(outcome)
            _tell(outcome, silent=silent, ranks=sweep.is_search)
    done = [outcome for outcome in outcomes if outcome.finished]
    if told.as_json:
        write_json(document(sweep, outcomes))
    elif sweep.tell_ranks:
        sweep.tell_ranks(outcomes)
    elif len(done) > 1:
        click.echo("\n".join(mean_lines(means(done))))
    return 0 if len(done) == len(outcomes) or (sweep.is_search and done) else 1


class _RefusedError(ZooError):
    """The first run was refused, as any other would be, with these words."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.messages.removeprefix("zoo: "))
        self.exit_code = outcome.exit_code


def _tell(outcome: Outcome, *, silent: bool, ranks: bool) -> None:
    for line in outcome.messages.splitlines():
        click.echo(f"{outcome.name}: {line}", err=True)
    if not outcome.finished:
        click.echo(f"{outcome.name}  failed, exit code {outcome.exit_code}", err=True)
    elif not silent:
        shown = _SHOWN[:1] if ranks else _SHOWN  # a search looks at the test images once, of its best
        parts = [f"{what} {percent(outcome.summary[key])}" for what, key in shown if outcome.summary.get(key)]
        parts += [f"{key} {value}" for key, value in outcome.settings.items()] if ranks else []
        before = ", finished before" if outcome.was_finished else ""
        click.echo(f"{outcome.name}  {', '.join(parts)}{before}")


_SHOWN = (("validation", "val_accuracy"), ("test", "test_accuracy"))


def mean_lines(found: dict[str, Mean]) -> list[str]:
    """Return a line for each mean accuracy, with its interval."""
    lines = []
    for what, key in _SHOWN:
        if (mean := found.get(key)) and mean.interval and mean.deviation is not None:
            low, high = 100 * mean.interval.low, 100 * mean.interval.high
            lines.append(
                f"{what} accuracy {percent(mean.value)} on average of {mean.count} seeds "
                f"(95 % interval {low:.2f} to {high:.2f} %; standard deviation {100 * mean.deviation:.2f})"
            )
    return lines


def document(sweep: Sweep, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return what ``--json`` prints."""
    done = [outcome for outcome in outcomes if outcome.finished]
    takes_mean = bool(done) and not sweep.is_search
    best = ranked(outcomes) if sweep.is_search else []
    return {
        "directory": str(sweep.runs.folder.path),
        "runs": [
            {
                "name": outcome.name,
                "directory": str(outcome.directory),
                "settings": dict(outcome.settings),
                "status": "finished" if outcome.finished else "failed",
                "summary": dict(outcome.summary) or None,
                "exit_code": outcome.exit_code,
                "messages": one_line(outcome.messages) if not outcome.finished else "",
            }
            for outcome in sorted(outcomes, key=lambda outcome: outcome.number)
        ],
        "mean": {key: dataclasses.asdict(mean) for key, mean in (means(done) if takes_mean else {}).items()},
        "best": best[0].name if best else None,
    }
