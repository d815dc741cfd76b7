"""``zoo list``: what the installed plugins offer, and where each entry comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import click

from zoo.cli.choosing import COLUMNS, Amount, Wish, check_kind, rows_of
from zoo.cli.completion import complete_kinds, complete_names
from zoo.cli.options import common_options
from zoo.cli.output import write_json, write_table
from zoo.errors import suggestions
from zoo.registry import KINDS, Entry, kind_named, registry


@click.command("list")
@click.argument("kind", required=False, shell_complete=complete_kinds)
@click.argument("pattern", default="*", shell_complete=complete_names())
@click.option("--params-below", type=Amount(), metavar="N", help="Models with fewer parameters, such as 5M.")
@click.option(
    "--macs-below", type=Amount(), metavar="N", help="Models with fewer multiply-accumulates an image, as 500M."
)
@click.option("--pretrained", is_flag=True, help="Models that have pretrained weights.")
@click.option(
    "--sort", type=click.Choice(list(COLUMNS)), help="Sort models by a column: least first, best accuracy first."
)
@click.option("--columns", metavar="NAMES", help=f"Columns to show of models, with commas: {', '.join(COLUMNS)}.")
@common_options
def list_entries(kind: str | None, pattern: str, quiet: bool, as_json: bool, **wishes: Any) -> None:
    """List what the installed plugins offer.

    KIND is models, optimizers, criteria, schedulers, datasets, augmentations, observers, recipes, exporters or weights;
    without it, they are counted. PATTERN is a name or part of one, with * and ?: zoo list models 'resnet*'. Models can
    be chosen by what they cost: zoo list models 'timm/*' --params-below 5M --pretrained --sort macs
    """
    wish = Wish(**wishes)
    plural = kind_named(kind).plural if kind else None
    check_kind(plural, wish)
    if kind is None:
        _write_counts(as_json)
        return
    entries = registry().entries(kind, pattern)
    if wish:
        _write_chosen(entries, wish, quiet, as_json)
    elif as_json:
        write_json({"entries": [described(entry) for entry in entries]})
    elif entries:
        short_name = registry().short_name
        rows = [(short_name(e) or e.full_name, e.plugin, f"{e.distribution} {e.version}", e.summary) for e in entries]
        write_table(("NAME", "PLUGIN", "DISTRIBUTION", "SUMMARY"), rows)
    elif not quiet:
        click.echo(_nothing(kind, pattern), err=True)


def _write_chosen(entries: Sequence[Entry], wish: Wish, quiet: bool, as_json: bool) -> None:
    """Print the models that fit, with what they cost."""
    from dataclasses import asdict

    names = wish.shown
    known, unjudged = wish.fulfilled(entries)
    if as_json:
        write_json({"entries": [described(entry) | {"facts": facts and asdict(facts)} for entry, facts in known]})
    elif known:
        write_table([name.upper() for name in names], rows_of(known, names))
    elif not quiet:
        click.echo(f"none of {len(entries):,} models fits", err=True)
    if unjudged and not quiet:
        click.echo(f"zoo: of {unjudged:,} more nothing is known: their plugins state no facts", err=True)


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
