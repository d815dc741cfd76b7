"""A search from what was asked for: what may be searched, and the searcher."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from zoo.config import DATA_LIMIT, SEVERAL, SINGLE, Config, Layer, nested
from zoo.errors import UnknownNameError, UsageError, ZooError
from zoo.registry import Kind, kind_of_section, registry
from zoo.sweeps.asking import Asked, Sweep, over_folds, over_seeds, place_of, runs_of, with_full_names
from zoo.sweeps.pruning import Pruning
from zoo.sweeps.search import Search
from zoo.sweeps.space import Choices, Domain, parsed

DEFAULT_SEARCHER = "random"
"""The searcher that proposes where none is named."""

_OF_ALL_MODELS = ("pretrained", "sha256", "expects")
_OWN = ("search", "prune")  # sections of options that are not the runs'

Given = TypeVar("Given")


@dataclass(frozen=True)
class Searched:
    """What a search was asked to be.

    Attributes:
        texts: What ``--search`` gave.
        searcher: A registered name.
        trials: How many; None where it was not said.
        options: The searcher's own.
        pruner: A registered name; None where every trial is trained to its end.
        pruner_options: The pruner's own.
    """

    texts: Sequence[str]
    searcher: str = DEFAULT_SEARCHER
    trials: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    pruner: str | None = None
    pruner_options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_said_how(self) -> bool:
        """Whether anything was said of it that means nothing without a space to search."""
        said = (self.trials, self.options, self.pruner, self.pruner_options)
        return self.searcher != DEFAULT_SEARCHER or any(said)


def split_options(
    given: Iterable[Given], read: Callable[[Given], tuple[str, Any]]
) -> tuple[dict[str, dict[str, Any]], list[Given]]:
    """Return the options of the searcher and of the pruner, by ``"search"`` and ``"prune"``, and those of the runs.

    Args:
        given: All options.
        read: Returns the key and the value of one, such as ``("search.points", 5)``.

    Raises:
        UsageError: If *read* raises it.
    """
    own: dict[str, dict[str, Any]] = {section: {} for section in _OWN}
    runs = []
    for each in given:
        key, value = read(each)
        section, _, option = key.partition(".")
        if section in own and option:
            own[section][option] = value
        else:
            runs.append(each)
    return own, runs


def extremes(texts: Sequence[str]) -> list[Layer]:
    """Return layers that hold the values of the search space, so that keys and values are checked as others are."""
    return [
        Layer(f"--search {key}", nested(key, value)) for key, domain in parsed(texts).items() for value in _ends(domain)
    ]


def _ends(domain: Domain) -> list[Any]:
    return list(domain.values) if isinstance(domain, Choices) else domain.points(2)


def chosen(asked: Asked, seeds: int | None, folds: int | None, searched: Searched) -> Sweep:
    """Return the sweep that was asked for: over seeds, over folds, or a search.

    Raises:
        UsageError: If a name, a key or the space is wrong, something is asked of a search that is none, or the folder
            holds something else.
    """
    if not searched.texts and searched.is_said_how:
        raise UsageError(
            "searchers, trials, pruners and the options search.OPTION and prune.OPTION are a search's; leave them out, "
            "or say what to search"
        )
    if seeds is not None:
        return over_seeds(asked, seeds)
    return over_folds(asked, folds) if folds is not None else search(asked, searched)


def search(asked: Asked, searched: Searched) -> Sweep:
    """Return the search that was asked for.

    Raises:
        UsageError: If a name, a key or the space is wrong, or the folder holds something else.
    """
    asked, space = with_full_names(asked), parsed(searched.texts)
    config = asked.config
    if config.train.validation == 0:
        raise UsageError("a search ranks by the validation images; give --validation above 0")
    if searched.pruner_options and searched.pruner is None:
        raise UsageError("--set prune.OPTION=VALUE is a pruner's; give --prune NAME")
    entry = registry().find("searchers", searched.searcher)
    folder = place_of(asked, "search")
    asked = dataclasses.replace(asked, out=folder)
    plan = Search(entry, searched.options, space, seed=config.train.seed, folder=folder, trials=searched.trials)
    _refuse_unknown_options(config, space)
    question: dict[str, Any] = {
        "kind": "search",
        "searcher": {"name": entry.full_name, **_without_passwords(searched.options)},
        "space": {key: str(domain) for key, domain in space.items()},
    }
    pruning = None
    if searched.pruner is not None:
        pruner = registry().find("pruners", searched.pruner)
        pruning = Pruning(pruner, searched.pruner_options, config.train.select)
        question["pruner"] = {"name": pruner.full_name, **searched.pruner_options}
    runs = runs_of(asked, plan, question, pruning)
    title = f"{config.model.name} on {config.data.name}, {plan.count} trials of {entry.full_name}"
    return Sweep(runs, title, "search")


def _without_passwords(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options as they are recorded: of an address with a password, anything may be read but that."""
    return {
        key: re.sub(r"(://[^:/@\s]*):[^/\s]*@", r"\1:***@", value) if isinstance(value, str) else value
        for key, value in options.items()
    }


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
