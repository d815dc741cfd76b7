"""What a plugin must be as a whole."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.errors import UnknownNameError, UsageError
from zoo.registry import Entry, Plugin, kind_named, options_of, registry
from zoo.registry.entry import OWN_DISTRIBUTION, normalized
from zoo.testing.fresh import in_fresh_process
from zoo.testing.observers import module_hooks
from zoo.testing.outcome import ContractError, warn

_SLOW_MS = 100


def installed(name: str) -> Plugin:
    """Return the plugin of this name, which is installed and works.

    Raises:
        UnknownNameError: If none is installed.
        UsageError: If several distributions have one of that name.
        ContractError: If it is broken, incompatible or disabled.
    """
    plugins = {plugin.name: plugin for plugin in registry().plugins()}
    if twins := [found.name for found in plugins.values() if found.name.startswith(f"{name}@")]:
        raise UsageError(f"several distributions have a plugin {name!r}; check one of them: {', '.join(twins)}")
    if name not in plugins:
        cure = "Install it, as with pip install -e DIR; 'zoo plugins' shows what is installed."
        raise UnknownNameError("plugin", name, plugins, cure)
    plugin = plugins[name]
    if plugin.status != "ok":
        raise ContractError(
            plugin,
            expected="a plugin that loads",
            seen=f"{plugin.status}: {plugin.reason}",
            mend="ZOO_DEBUG=1 zoo plugins shows where it fails.",
        )
    return plugin


def check_requirement(plugin: Plugin) -> str:
    """State which zoo it works with, so that another one is told apart from a fault."""
    if normalized(plugin.distribution) == OWN_DISTRIBUTION:
        return "part of torch-zoo"
    if plugin.requires is None:
        warn(f"{plugin} does not require torch-zoo. Add it to the dependencies in pyproject.toml: 'torch-zoo>=0.1'.")
    return str(plugin.requires)


def check_import(plugin: Plugin) -> str:
    """Be quick to import: every 'zoo list' imports it."""
    fresh = in_fresh_process(plugin, ())
    took = f"{fresh.import_ms:,.0f} ms"
    if fresh.pulled_torch:
        warn(
            f"{plugin} imports torch, which takes {took}, at its top, so every 'zoo list' and TAB waits for it. "
            "Give targets as 'module:attribute' and import torch in that module."
        )
    elif fresh.import_ms > _SLOW_MS:
        warn(f"{plugin} takes {took} to import, so every 'zoo list' and TAB waits that long. Import less at its top.")
    return f"{took}, without torch"


def check_processes(plugin: Plugin, entries: Sequence[Entry]) -> str:
    """Be there in a process that has just started, and build what it offers."""
    buildable = _buildable(entries)
    fresh = in_fresh_process(plugin, buildable)
    if fresh.faults:
        name, fault = next(iter(fresh.faults.items()))
        raise ContractError(
            plugin,
            expected=f"all {len(buildable)} entries to be built in a new process",
            seen=f"{len(fresh.faults)} that are not, such as {name!r}: {fault}",
            mend="Register with the hook alone, not by side effects of imports elsewhere.",
        )
    return f"{len(fresh.built)} built"


def check_names(plugin: Plugin, entries: Sequence[Entry]) -> None:
    """Clash with nothing that is installed: its own name is its own, and its short names work."""
    if "@" in plugin.name:
        raise ContractError(
            plugin,
            expected="an entry-point name that no other distribution has",
            seen=f"the name {plugin.name.partition('@')[0]!r} in another distribution, too",
            mend="Rename the entry point in pyproject.toml.",
        )
    for entry in entries:
        if entry.short and registry().short_name(entry) is None:
            rivals = [other for other in registry().entries(entry.kind, entry.name) if other != entry and other.short]
            raise ContractError(
                entry,
                expected=f"the short name {entry.name!r} to work",
                seen=f"it offered by {', '.join(map(str, rivals))}, too",
                mend="Rename the entry, or register it with short=False: its full name always works.",
            )


def check_summaries(plugin: Plugin, entries: Sequence[Entry]) -> str:
    """Say in a line what each entry is, and offer something."""
    if not entries and not module_hooks(plugin):
        raise ContractError(
            plugin,
            expected="an entry, or a hook that watches runs",
            seen="neither",
            mend="Call add.model(...) or its like in register(add).",
        )
    if long := [entry for entry in entries if len(entry.summary) > 100]:
        warn(f"{long[0]}: its summary has {len(long[0].summary)} characters; listings are best read with 100 at most.")
    if empty := [entry for entry in entries if entry.summary.strip(" .").casefold() == entry.name.casefold()]:
        warn(f"{empty[0]}: its summary only repeats the name; say what it is.")
    return f"{len(entries)} {'entry' if len(entries) == 1 else 'entries'}" if entries else "hooks alone"


def _buildable(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Return the entries that need no option without a default."""
    return tuple(entry for entry in entries if kind_named(entry.kind).is_file or not _needs_options(entry))


def _needs_options(entry: Entry) -> bool:
    return any(option.required for option in options_of(entry))
