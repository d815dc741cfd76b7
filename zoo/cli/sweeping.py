"""Several runs from one command: what is told of them."""

from __future__ import annotations

import json
from dataclasses import dataclass

import click

from zoo.cli.output import percent, write_json, write_table
from zoo.sweeps.asking import Sweep, concluded
from zoo.sweeps.result import SweepResult
from zoo.sweeps.runs import Outcome
from zoo.sweeps.search import ranked


@dataclass(frozen=True)
class Told:
    """How a command prints."""

    quiet: bool
    as_json: bool


def carry_out(sweep: Sweep, told: Told) -> int:
    """Carry out a sweep, tell of each run as it ends and of all at the end, and return the exit code."""
    silent = told.quiet or told.as_json
    if not silent:
        click.echo(sweep.heading)
    outcomes: list[Outcome] = []
    for outcome in sweep.carry_out(lambda line: None if silent else click.echo(line)):
        outcomes.append(outcome)
        _tell(outcome, silent=silent, ranks=sweep.kind == "search")
    result = concluded(sweep, outcomes, lambda line: click.echo(line, err=True))
    if told.as_json:
        write_json(result.document())
    elif sweep.kind == "search":
        write_ranks(result)
    else:
        for line in result_lines(result):
            click.echo(line)
    return 0 if len(result.finished) == len(outcomes) or (sweep.kind == "search" and result.finished) else 1


def _tell(outcome: Outcome, *, silent: bool, ranks: bool) -> None:
    told = outcome.messages.splitlines()
    for line in told[:-1] if outcome.pruned else told:  # the last says how to go on, which is not meant here
        click.echo(f"{outcome.name}: {line}", err=True)
    if outcome.pruned:
        if not silent:
            epoch = outcome.summary["epochs"]
            click.echo(f"{outcome.name}  validation {_validation(outcome)}, pruned after epoch {epoch}")
    elif not outcome.finished:
        click.echo(f"{outcome.name}  failed, exit code {outcome.exit_code}", err=True)
    elif not silent:
        shown = _SHOWN[:1] if ranks else _SHOWN  # a search looks at the test images once, of its best
        parts = [f"{what} {percent(outcome.summary[key])}" for what, key in shown if outcome.summary.get(key)]
        parts += [f"{key} {value}" for key, value in outcome.settings.items()] if ranks else []
        before = ", finished before" if outcome.was_finished else ""
        click.echo(f"{outcome.name}  {', '.join(parts)}{before}")


_SHOWN = (("validation", "val_accuracy"), ("test", "test_accuracy"))


def result_lines(result: SweepResult) -> list[str]:
    """Return a line for each accuracy that a sweep over seeds or folds was for."""
    found, lines = result.mean, []
    if (pooled := result.out_of_fold) is not None and (own := found.get("val_accuracy")) is not None:
        low, high = (100 * share for share in pooled.document["metrics"]["accuracy_interval"])
        lines.append(
            f"out-of-fold accuracy {percent(pooled.document['metrics']['accuracy'])} on "
            f"{pooled.document['samples']:,} images (95 % interval {low:.2f} to {high:.2f} %; standard deviation of "
            f"{own.count} folds {100 * (own.deviation or 0):.2f})"
        )
    for what, key in _SHOWN if result.kind == "seeds" else ():
        if (mean := found.get(key)) and mean.interval and mean.deviation is not None:
            low, high = 100 * mean.interval.low, 100 * mean.interval.high
            lines.append(
                f"{what} accuracy {percent(mean.value)} on average of {mean.count} seeds "
                f"(95 % interval {low:.2f} to {high:.2f} %; standard deviation {100 * mean.deviation:.2f})"
            )
    return lines


def write_ranks(result: SweepResult) -> None:
    """Print the trials, the best on the validation images first, and how to repeat the best."""
    order = ranked(result.runs)
    if not order:
        return
    keys = list(order[0].settings)
    pruned = [run for run in result.runs if run.pruned]
    marks = ("STATUS",) if pruned else ()
    rows = [
        (run.name, _validation(run), *(run.status for _ in marks), *(json.dumps(run.settings[key]) for key in keys))
        for run in (*order, *pruned)
    ]
    write_table(("TRIAL", "VALIDATION", *marks, *keys), rows)
    best = order[0]
    test = best.summary.get("test_accuracy")
    told = f", test accuracy {percent(test)}" if test is not None else ""
    click.echo(f"best on the validation images: {best.directory}{told}")
    click.echo(f"next: zoo train --config {best.directory}/config.toml")


def _validation(run: Outcome) -> str:
    if run.summary.get("select") == "loss":
        return f"loss {run.summary['val_loss']:.4f}"
    return percent(run.reached or 0.0)
