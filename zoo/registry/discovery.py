"""Finding plugins: every entry point of the group ``zoo``, of every installed distribution, in a fixed order.

pluggy can find entry points itself, but it silently drops the second of two with one name, and one plugin that does
not import ends the program. So finding is ours; registering stays pluggy's.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import metadata

from zoo.registry.adding import NAME
from zoo.registry.compatibility import stated_requirement
from zoo.registry.entry import OWN_DISTRIBUTION, normalized
from zoo.registry.hookspec import GROUP

_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Found:
    """A plugin that is installed, not yet imported.

    Attributes:
        name: The entry point's name.
        label: The name that stands before the slash in full names: `name`, or `qualified` where others have it too.
        distribution: The distribution's name, as it calls itself.
        version: The distribution's version.
        requires: What the distribution states about zoo, or None.
        entry_point: What to load.
        fault: Why it cannot be loaded, where that is plain already.
    """

    name: str
    label: str
    distribution: str
    version: str
    requires: str | None
    entry_point: metadata.EntryPoint
    fault: str = ""

    @property
    def own(self) -> bool:
        """Whether zoo itself brought it."""
        return normalized(self.distribution) == OWN_DISTRIBUTION

    @property
    def qualified(self) -> str:
        """``name@distribution``, which no other plugin has."""
        return f"{self.name}@{normalized(self.distribution)}"


def find(path: list[str] | None = None) -> list[Found]:
    """Return every installed plugin, sorted by name and distribution, whatever order the file system gives.

    Args:
        path: Folders to look in; ``sys.path`` by default.
    """
    found = [plugin for distribution in _distributions(path or sys.path) for plugin in _plugins(distribution)]
    found.sort(key=lambda plugin: (plugin.name, normalized(plugin.distribution)))
    return _labelled(found)


def _distributions(path: list[str]) -> Iterator[metadata.Distribution]:
    """Yield each distribution that has plugins, once: the first of its name on the path, as Python imports it."""
    seen = set()
    for candidate in metadata.distributions(path=path):
        if not _mentions_plugins(candidate):
            continue
        name = _described(candidate)[0]
        if normalized(name) not in seen:
            seen.add(normalized(name))
            yield next(iter(metadata.Distribution.discover(name=name, path=path)), candidate)


def _mentions_plugins(distribution: metadata.Distribution) -> bool:
    # Looking at the text first spares parsing the other hundred distributions, and their faults.
    try:
        return f"[{GROUP}]" in (distribution.read_text("entry_points.txt") or "")
    except (OSError, UnicodeDecodeError):
        return False


def _described(distribution: metadata.Distribution) -> tuple[str, str, list[str]]:
    """Return the name, version and requirements that a distribution states; "unknown" for what it does not."""
    try:
        stated = distribution.metadata
        return stated["Name"] or _UNKNOWN, stated["Version"] or _UNKNOWN, stated.get_all("Requires-Dist") or []
    except Exception:
        return _UNKNOWN, _UNKNOWN, []


def _plugins(distribution: metadata.Distribution) -> Iterator[Found]:
    name, version, requirements = _described(distribution)
    # What zoo's own extras require of zoo says nothing, and reading it would take packaging.
    requires = None if normalized(name) == OWN_DISTRIBUTION else stated_requirement(requirements)
    seen: set[str] = set()
    for point in _entry_points(distribution, name):
        fault = ""
        if name == _UNKNOWN or not point.value:
            fault = f"the metadata of its distribution in {distribution.locate_file('')} cannot be read"
        elif not NAME.fullmatch(point.name):
            fault = f"{point.name!r} is no name for a plugin: letters, digits, '_', '.' and '-' are"
        elif point.name in seen:
            fault = "its distribution has two entry points with this name"
        seen.add(point.name)
        yield Found(point.name, point.name, name, version, requires, point, fault)


def _entry_points(distribution: metadata.Distribution, name: str) -> list[metadata.EntryPoint]:
    """Return a distribution's plugins; where they cannot be read, one of the distribution's name and without value."""
    try:
        return list(distribution.entry_points.select(group=GROUP))
    except Exception:
        return [metadata.EntryPoint(normalized(name), "", GROUP)]


def _labelled(found: list[Found]) -> list[Found]:
    """Give plugins that share a name their distribution's name as well; zoo's own keep theirs whatever is installed."""
    count = Counter(plugin.name for plugin in found)
    own = {plugin.name for plugin in found if plugin.own}
    return [
        replace(plugin, label=plugin.qualified)
        if not plugin.own and (count[plugin.name] > 1 or plugin.name in own)
        else plugin
        for plugin in found
    ]
