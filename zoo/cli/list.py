"""``zoo list``: what the installed plugins offer, and where each entry comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import click

from zoo.cli.completion import complete_kinds, complete_names
from zoo.cli.options import common_options
from zoo.cli.output import write_json, write_table
from zoo.errors import suggestions
from zoo.registry import KINDS, Entry, kind_named, registry


@click.command("list")
@click.argument("kind", required=False, shell_complete=complete_kinds)
@click.argument("pattern", default="*", shell_complete=complete_names())
@common_options
def list_entries(kind: str | None, pattern: str, quiet: bool, as_json: bool) -> None:
    """List what the installed plugins offer.

    KIND is models, optimizers, criteria, schedulers, datasets, augmentations, observers or recipes; without it, they
    are counted. PATTERN is a name or part of one, with * and ?: zoo list models 'resnet*'.
    """
    if kind is None:
        _write_counts(as_json)
        return
    entries = registry().entries(kind, pattern)
    if as_json:
        write_json({"entries": [described(entry) for entry in entries]})
    elif entries:
        short_name = registry().short_name
        rows = [(short_name(e) or e.full_name, e.plugin, f"{e.distribution} {e.version}", e.summary) for e in entries]
        write_table(("NAME", "PLUGIN", "DISTRIBUTION", "SUMMARY"), rows)
    elif not quiet:
        click.echo(_nothing(kind, pattern), err=True)


def described(entry: Entry) -> dict[str, Any]:
    """Return an entry as JSON tells it."""
    return {
        "kind": entry.kind,
        "name": entry.name,
        "full_name": entry.full_name,
        "short_name": registry().short_name(entry),
        "plugin": entry.plugin,
        "distribution": entry.distribution,
        "version": entry.version,
        "summary": entry.summary,
        "target": entry.target if isinstance(entry.target, str) else repr(entry.target),
        "arguments": dict(entry.arguments),
    }


def _write_counts(as_json: bool) -> None:
    counts = {kind.plural: Counter(entry.plugin for entry in registry().entries(kind.plural)) for kind in KINDS}
    if as_json:
        write_json({"counts": {kind: dict(plugins) for kind, plugins in counts.items()}})
        return
    rows = [(kind, f"{plugins.total():>6,}", _from(plugins)) for kind, plugins in counts.items()]
    write_table(("KIND", " COUNT", "FROM"), rows)


def _from(plugins: Counter[str]) -> str:
    return ", ".join(f"{plugin} {count:,}" for plugin, count in sorted(plugins.items()))


def _nothing(kind: str, pattern: str) -> str:
    asked = kind_named(kind)
    return f"no {asked.singular} matches {pattern!r}. {_advice(asked.plural, pattern)}"


def _advice(kind: str, pattern: str) -> str:
    wider = f"*{pattern.strip('*')}*"
    if pattern.strip("*") and (found := registry().entries(kind, wider)):
        return f"{wider!r} matches {len(found):,}: {_some([entry.full_name for entry in found])}."
    known = [entry.full_name for entry in registry().entries(kind)]
    if close := suggestions(pattern.strip("*"), known):
        return f"Did you mean {' or '.join(map(repr, close))}?"
    return f"'zoo list {kind}' shows all {len(known):,}." if known else "No installed plugin offers any."


def _some(names: Sequence[str], limit: int = 3) -> str:
    return ", ".join(names[:limit]) + (" and others" if len(names) > limit else "")
