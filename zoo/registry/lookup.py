"""Looking entries up, by full name, short name or pattern, over all plugins that are installed."""

from __future__ import annotations

import fnmatch
import functools
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from zoo.errors import AmbiguousNameError, PluginError, UnknownNameError, UsageError
from zoo.registry.discovery import Found, find
from zoo.registry.entry import OWN_DISTRIBUTION, Entry, Plugin
from zoo.registry.kinds import KINDS, Kind, kind_named
from zoo.registry.loading import load, unloaded

_PLACES = {kind.plural: place for place, kind in enumerate(KINDS)}


class Registry:
    """All plugins that are installed, each loaded when it is first needed.

    Args:
        found: The installed plugins, sorted.
    """

    def __init__(self, found: Iterable[Found]) -> None:
        self._found = tuple(found)
        self._plugins: dict[Found, Plugin] = {}
        self._short_names: Mapping[tuple[str, str], Entry] | None = None

    def disable(self, names: Iterable[str], where: str) -> None:
        """Leave plugins out.

        Args:
            names: Their names; the plain name of several plugins means all of them.
            where: Where the names were given, for the messages.

        Raises:
            UnknownNameError: If a plugin is not installed.
        """
        for name in names:
            if not (matches := self._answering(name)):
                known = [found.label for found in self._found]
                raise UnknownNameError(
                    "plugin", name, known, f"{where} names it; 'zoo plugins' shows what is installed."
                )
            self._plugins.update({found: unloaded(found, "disabled", f"by {where}") for found in matches})
        self._short_names = None

    def names(self) -> list[str]:
        """Return the name of every plugin that is installed, without loading any."""
        return [found.label for found in self._found]

    def plugins(self) -> list[Plugin]:
        """Return every plugin, loaded, sorted by name."""
        return [self._plugin(found) for found in self._found]

    def entries(self, kind: str | None = None, pattern: str = "*") -> list[Entry]:
        """Return the entries of a kind, or of all, whose name or full name matches, sorted by kind and name.

        Args:
            kind: Singular or plural.
            pattern: As a shell's, with ``*`` and ``?``; case does not count.

        Raises:
            UnknownNameError: If there is no such kind.
        """
        plural = kind_named(kind).plural if kind else None
        entries = [entry for entry in self._all() if plural in (None, entry.kind)]
        if pattern != "*":
            matches = re.compile(fnmatch.translate(pattern), re.IGNORECASE).match
            entries = [entry for entry in entries if matches(entry.name) or matches(entry.full_name)]
        return sorted(entries, key=lambda entry: (_PLACES[entry.kind], entry.name, entry.plugin))

    def find(self, kind: str, name: str) -> Entry:
        """Return the one entry with this name.

        A full name loads only its own plugin, and a short name that zoo itself offers only zoo's plugins.

        Args:
            kind: Singular or plural.
            name: Full, ``plugin/name``, or short.

        Raises:
            UnknownNameError: If there is none.
            AmbiguousNameError: If several plugins offer it.
            PluginError: If its plugin is broken or incompatible.
        """
        asked = kind_named(kind)
        return self._by_full_name(asked, name) if "/" in name else self._by_short_name(asked, name)

    def short_name(self, entry: Entry) -> str | None:
        """Return the entry's name if it works without the plugin's, else None."""
        if self._short_names is None:
            offers: dict[tuple[str, str], list[Entry]] = {}
            for other in self._all():
                if other.short:
                    offers.setdefault((other.kind, other.name), []).append(other)
            preferred = {key: [entry for entry in rivals if entry.own] or rivals for key, rivals in offers.items()}
            self._short_names = {key: rivals[0] for key, rivals in preferred.items() if len(rivals) == 1}
        return entry.name if self._short_names.get((entry.kind, entry.name)) == entry else None

    def implementations(self, hook: str) -> list[tuple[Plugin, Callable[..., Any]]]:
        """Return the plugins that implement a hook, each with what calls it, by keyword, with all its arguments."""
        callers = [(plugin, getattr(plugin.hooks, hook)) for plugin in self.plugins() if plugin.hooks is not None]
        return [(plugin, caller) for plugin, caller in callers if caller.get_hookimpls()]

    def check_all(self) -> None:
        """Raise if any plugin is broken or incompatible, as ``--strict`` asks.

        Raises:
            PluginError: Naming each of them.
        """
        if faulty := self._faulty():
            raise PluginError(f"--strict: {'; '.join(f'{plugin} is {plugin.status}' for plugin in faulty)}")

    def _plugin(self, found: Found) -> Plugin:
        if found not in self._plugins:
            # A plugin that looks names up while it is imported finds itself empty, rather than loading without end.
            self._plugins[found] = unloaded(found, "ok", "it is being loaded")
            self._plugins[found] = plugin = load(found)
            if plugin.status != "ok":
                sys.stderr.write(f"zoo: {_complaint(plugin)}\n")
        return self._plugins[found]

    def _all(self) -> Iterator[Entry]:
        return (entry for plugin in self.plugins() for entry in plugin.entries)

    def _faulty(self) -> list[Plugin]:
        return [plugin for plugin in self.plugins() if plugin.status in ("broken", "incompatible")]

    def _answering(self, name: str) -> list[Found]:
        """Return the plugins that a name means, plain or qualified: several where it is ambiguous."""
        exact = [found for found in self._found if name in (found.label, found.qualified)]
        return exact or [found for found in self._found if name == found.name]

    def _by_full_name(self, kind: Kind, full_name: str) -> Entry:
        prefix, _, name = full_name.partition("/")
        plugins = [self._plugin(found) for found in self._answering(prefix)]
        offers = _offers(plugins, kind, name)
        if len(plugins) > 1 and offers:
            raise _ambiguous(kind, full_name, offers)
        for plugin in plugins:
            _check_usable(plugin, f"{kind.singular} {full_name!r}")
        if not offers:
            raise self._unknown(kind, full_name)
        return offers[0]

    def _by_short_name(self, kind: Kind, name: str) -> Entry:
        for own in (True, False):
            plugins = [self._plugin(found) for found in self._found if found.own is own]
            offers = [entry for entry in _offers(plugins, kind, name) if entry.short]
            if len(offers) > 1:
                raise _ambiguous(kind, name, offers)
            if offers:
                return offers[0]
        raise self._unknown(kind, name)

    def _unknown(self, kind: Kind, name: str) -> UnknownNameError:
        entries = self.entries(kind.plural)
        known = [entry.full_name if "/" in name else self.short_name(entry) or entry.full_name for entry in entries]
        cure = f"'zoo list {kind.plural}' shows all {len(entries):,}."
        if elsewhere := [entry for entry in self._all() if name in (entry.name, entry.full_name)]:
            cure = f"There is {elsewhere[0]}. {cure}"
        if missing := [plugin for plugin in self.plugins() if plugin.status != "ok"]:
            cure += f"\nNot looked into: {'; '.join(f'{plugin} is {plugin.status}' for plugin in missing)}."
        return UnknownNameError(kind.singular, name, known, cure)


@functools.cache
def registry() -> Registry:
    """Return the process's one registry, made on first use, without the plugins that ``ZOO_DISABLE`` names.

    Raises:
        UnknownNameError: If ``ZOO_DISABLE`` names a plugin that is not installed.
    """
    everything = Registry(find())
    names = os.environ.get("ZOO_DISABLE", "").split(",")
    everything.disable([name.strip() for name in names if name.strip()], "ZOO_DISABLE")
    return everything


def _offers(plugins: Iterable[Plugin], kind: Kind, name: str) -> list[Entry]:
    wanted = (kind.plural, name)
    return [entry for plugin in plugins for entry in plugin.entries if (entry.kind, entry.name) == wanted]


def _ambiguous(kind: Kind, name: str, offers: Iterable[Entry]) -> AmbiguousNameError:
    choices = [f"{entry.full_name} ({entry.distribution} {entry.version})" for entry in offers]
    return AmbiguousNameError(kind.singular, name, choices)


def _check_usable(plugin: Plugin, wanted: str) -> None:
    if plugin.status == "disabled":
        raise UsageError(f"{wanted} needs {plugin}, which is disabled {plugin.reason}")
    if plugin.status != "ok":
        raise PluginError(f"{wanted} cannot be had: {_complaint(plugin)}")


def _complaint(plugin: Plugin) -> str:
    """Say what is wrong with a plugin and what to do, in one line."""
    cure = "Reinstall" if plugin.distribution == OWN_DISTRIBUTION else "Upgrade or uninstall"
    return (
        f"{plugin} is {plugin.status}: {plugin.reason.rstrip('.')}. "
        f"{cure} {plugin.distribution}, or leave the plugin out with ZOO_DISABLE={plugin.name}"
    )
