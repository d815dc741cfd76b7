"""``zoo plugins``: which plugins are installed, their state, and what they cost."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from zoo.cli.lazy import LazyCommand, LazyGroup
from zoo.cli.options import common_options
from zoo.cli.output import write_json, write_table
from zoo.registry import Plugin, kind_named, registry

COMMANDS = (
    LazyCommand("new", "zoo.cli.plugins_new:new", "Write a new plugin, complete with tests."),
    LazyCommand("check", "zoo.cli.plugins_check:check", "Check that a plugin keeps the contract."),
)


@click.group(cls=LazyGroup, lazy=COMMANDS, invoke_without_command=True)
@common_options
@click.pass_context
def plugins(ctx: click.Context, quiet: bool, as_json: bool) -> None:  # noqa: ARG001 - every command takes --quiet
    """List the installed plugins and their state.

    Each is ok, broken, incompatible or disabled, with what it offers, which distribution it comes from, what that
    requires of zoo, and how long importing it took.
    """
    if ctx.invoked_subcommand is not None:
        return
    if as_json:
        write_json({"plugins": [_described(plugin) for plugin in registry().plugins()]})
        return
    header = ("PLUGIN", "STATUS", "DISTRIBUTION", "REQUIRES", "IMPORT", "ENTRIES")
    write_table(header, [_row(plugin) for plugin in registry().plugins()])


def _described(plugin: Plugin) -> dict[str, Any]:
    return {
        "name": plugin.name,
        "status": plugin.status,
        "reason": plugin.reason,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "requires": plugin.requires,
        "import_ms": round(plugin.import_ms, 1),
        "pulled_torch": plugin.pulled_torch,
        "entries": dict(Counter(entry.kind for entry in plugin.entries)),
    }


def _row(plugin: Plugin) -> tuple[str, ...]:
    cost = f"{plugin.import_ms:,.0f} ms" + (", imports torch" if plugin.pulled_torch else "")
    return (
        plugin.name,
        plugin.status,
        f"{plugin.distribution} {plugin.version}",
        plugin.requires or "-",
        cost if plugin.status == "ok" else "-",
        _entries(plugin) if plugin.status == "ok" else plugin.reason,
    )


def _entries(plugin: Plugin) -> str:
    counts = Counter(entry.kind for entry in plugin.entries)
    named = [f"{n:,} {kind if n > 1 else kind_named(kind).singular}" for kind, n in counts.items()]
    return ", ".join(named) or "nothing"
