"""A search from one command: what may be searched, the searcher, and the table at the end."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from zoo.cli.output import percent, write_table
from zoo.cli.sweeping import Asked, Sweep, runs_of, with_full_names
from zoo.config import DATA_LIMIT, SEVERAL, SINGLE, Config, Layer, assigned, nested
from zoo.errors import UnknownNameError, UsageError, ZooError
from zoo.registry import Kind, kind_of_section, registry
from zoo.sweeps.runs import Outcome
from zoo.sweeps.search import Search, ranked
from zoo.sweeps.space import Choices, Domain, parsed

_SECTION = "search."
_OF_ALL_MODELS = ("pretrained", "sha256", "expects")


@dataclass(frozen=True)
class Searched:
    """What a search was asked to be.

    Attributes:
        texts: What ``--search`` gave.
        searcher: A registered name.
        trials: How many; None where it was not said.
    """

    texts: Sequence[str]
    searcher: str
    trials: int | None


def own_and_runs(assignments: Iterable[str]) -> tuple[dict[str, Any], list[str]]:
    """Return the searcher's own options, which ``--set search.OPTION=VALUE`` gives, and the runs' assignments."""
    own, runs = {}, []
    for text in assignments:
        if text.startswith(_SECTION):
            key, value = assigned(text)
            own[key.removeprefix(_SECTION)] = value
        else:
            runs.append(text)
    return own, runs


def extremes(texts: Sequence[str]) -> list[Layer]:
    """Return layers that hold the values of the search space, so that keys and values are checked as others are."""
    return [
        Layer(f"--search {key}", nested(key, value)) for key, domain in parsed(texts).items() for value in _ends(domain)
    ]


def _ends(domain: Domain) -> list[Any]:
    return list(domain.values) if isinstance(domain, Choices) else domain.points(2)


def search(asked: Asked, searched: Searched, options: Mapping[str, Any], out: Path | None, jobs: int) -> Sweep:
    """Return the search that was asked for.

    Raises:
        UsageError: If a name, a key or the space is wrong, or the folder holds something else.
    """
    config, space = with_full_names(asked.config), parsed(searched.texts)
    if config.train.validation == 0:
        raise UsageError("a search ranks by the validation images; give --validation above 0")
    entry = registry().find("searchers", searched.searcher)
    plan = Search(entry, options, space, config.train.seed, searched.trials)
    _refuse_unknown_options(config, space)
    question = {
        "kind": "search",
        "searcher": {"name": entry.full_name, **options},
        "space": {key: str(domain) for key, domain in space.items()},
    }
    runs = runs_of(Asked(config, asked.arguments), out, plan, question, jobs)
    title = f"{config.model.name} on {config.data.name}, {plan.count} trials of {entry.full_name}"
    return Sweep(runs, title, write_ranks)


def _refuse_unknown_options(config: Config, space: Mapping[str, Domain]) -> None:
    """See that the chosen entries have the options that are searched.

    Raises:
        UnknownNameError: If one has not.
    """
    for key in space:
        section, _, option = key.partition(".")
        if section in SEVERAL and option != "names":
            name, _, option = option.rpartition(".")
            _refuse_unknown(section, name, option, key)
        elif section in SINGLE and option not in ("name", DATA_LIMIT) and f"{section}.name" not in space:
            _refuse_unknown(section, getattr(config, section).name, option, key)


def _refuse_unknown(section: str, name: str, option: str, key: str) -> None:
    if section == "model" and option.partition(".")[0] in _OF_ALL_MODELS:
        return
    entry = _shown(kind_of_section(section), name)
    known = [each["name"] for each in entry["options"]]
    if option not in known and not entry["unchecked"]:
        has = f"It takes {', '.join(known)}." if known else "It takes none."
        raise UnknownNameError(
            f"option of {entry['full_name']!r}", option, known, f"{has} It stands in --search {key}."
        )


def _shown(kind: Kind, name: str) -> dict[str, Any]:
    """Return what ``zoo show`` tells, from a process of its own: looking at a builder may import torch."""
    program = [sys.executable, "-P", "-m", "zoo", "show", kind.plural, name, "--json"]
    done = subprocess.run(program, capture_output=True, text=True, check=False)  # noqa: S603 - zoo's own command
    if done.returncode:
        error = ZooError(done.stderr.strip().removeprefix("zoo: "))
        error.exit_code = done.returncode
        raise error
    entry: dict[str, Any] = json.loads(done.stdout)["entry"]
    return entry


def write_ranks(outcomes: Sequence[Outcome]) -> None:
    """Print the trials, the best on the validation images first, and how to repeat the best."""
    order = ranked(outcomes)
    if not order:
        return
    keys = list(order[0].settings)
    rows = [(run.name, _validation(run), *(json.dumps(run.settings[key]) for key in keys)) for run in order]
    write_table(("TRIAL", "VALIDATION", *keys), rows)
    best = order[0]
    test = best.summary.get("test_accuracy")
    told = f", test accuracy {percent(test)}" if test is not None else ""
    click.echo(f"best on the validation images: {best.directory}{told}")
    click.echo(f"next: zoo train --config {best.directory}/config.toml")


def _validation(run: Outcome) -> str:
    if run.summary.get("select") == "loss":
        return f"loss {run.summary['val_loss']:.4f}"
    return percent(abs(run.score or 0.0))
