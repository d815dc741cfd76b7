"""The whole contract: every check of a plugin and of each of its entries."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from zoo.errors import UnknownNameError
from zoo.registry import Entry, kind_named
from zoo.testing import (
    augmentations,
    criteria,
    datasets,
    exporters,
    models,
    observers,
    optimizers,
    plugins,
    pruners,
    searchers,
    signatures,
    weights,
)
from zoo.testing.building import require_buildable, with_options
from zoo.testing.outcome import Check

EntryCheck = Callable[[Entry], str | None]

_OF_ITS_KIND: Mapping[str, Mapping[str, EntryCheck]] = {
    "models": models.CHECKS,
    "optimizers": optimizers.OPTIMIZER_CHECKS,
    "criteria": criteria.CHECKS,
    "schedulers": optimizers.SCHEDULER_CHECKS,
    "datasets": datasets.CHECKS,
    "augmentations": augmentations.CHECKS,
    "observers": observers.OBSERVER_CHECKS,
    "searchers": searchers.CHECKS,
    "pruners": pruners.CHECKS,
    "recipes": observers.RECIPE_CHECKS,
    "exporters": exporters.CHECKS,
    "weights": weights.CHECKS,
}


def checks_of(plugin: str, *, only: str = "*", options: Mapping[str, Mapping[str, Any]] | None = None) -> list[Check]:
    """Return all checks of an installed plugin, to be run one by one.

    Args:
        plugin: Its name.
        only: Entries whose name matches, with ``*`` and ``?``, are checked.
        options: By an entry's name, options without which it cannot be built.

    Raises:
        UsageError: If no such plugin is installed, no entry matches, or an option is wrong.
        ContractError: If the plugin does not load.
    """
    found = plugins.installed(plugin)
    options = options or {}
    for name in options:
        if name not in (known := [entry.name for entry in found.entries]):
            raise UnknownNameError("entry", name, known, f"{found} has {len(known):,}.")
    named = tuple(entry for entry in found.entries if fnmatch.fnmatchcase(entry.name, only))
    entries = tuple(with_options(entry, options.get(entry.name, {})) for entry in named)
    if not entries and only != "*":
        known = [entry.name for entry in found.entries]
        raise UnknownNameError("entry", only, known, f"{found} has {len(known):,}.")
    whole: Mapping[str, Callable[[], str | None]] = {
        "states which zoo it needs": partial(plugins.check_requirement, found),
        "says what each entry is": partial(plugins.check_summaries, found, entries),
        "clashes with nothing that is installed": partial(plugins.check_names, found, named),
        "is quick to import": partial(plugins.check_import, found),
        "works in a new process": partial(plugins.check_processes, found, entries),
    }
    if observers.module_hooks(found):
        whole = {**whole, "follows a run to its end, and one that fails": partial(observers.check_module_hooks, found)}
    own = [Check(f"plugin {found.name}", title, function) for title, function in whole.items()]
    return [*own, *(check for entry in entries for check in checks_of_entry(entry))]


def checks_of_entry(entry: Entry) -> Iterator[Check]:
    """Yield all checks of one entry."""
    subject = f"{kind_named(entry.kind).singular} {entry.name}"
    yield Check(subject, "takes what zoo gives it", partial(signatures.check_target, entry))
    for title, check in _OF_ITS_KIND[entry.kind].items():
        yield Check(subject, title, partial(_if_buildable, check, entry))


def _if_buildable(check: EntryCheck, entry: Entry) -> str | None:
    if not kind_named(entry.kind).is_file:
        require_buildable(entry)
    return check(entry)
