"""Finding plugins: every entry point of the group ``zoo``, of every installed distribution, in a fixed order.

pluggy can find entry points itself, but it silently drops the second of two with one name, and one plugin that does
not import ends the program. So finding is ours; registering stays pluggy's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import metadata

from zoo.registry.adding import NAME
from zoo.registry.compatibility import stated_requirement
from zoo.registry.entry import OWN_DISTRIBUTION, in_one_line, normalized
from zoo.registry.hookspec import GROUP


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


def find() -> list[Found]:
    """Return every installed plugin, sorted by name and distribution, whatever order the file system gives."""
    found = [plugin for distribution in _distributions() for plugin in _plugins(distribution)]
    found.sort(key=lambda plugin: (plugin.name, normalized(plugin.distribution)))
    return _labelled(found)


def _distributions() -> Iterator[metadata.Distribution]:
    """Yield each distribution that has plugins, once: the first of its name on ``sys.path``, as Python imports it."""
    seen = set()
    for candidate in metadata.distributions():
        if not _mentions_plugins(candidate):
            continue
        name = candidate.metadata["Name"]
        if not name or normalized(name) in seen:
            continue
        seen.add(normalized(name))
        yield metadata.distribution(name)


def _mentions_plugins(distribution: metadata.Distribution) -> bool:
    # Looking at the text first spares parsing the other hundred distributions, and their faults.
    try:
        return f"[{GROUP}]" in (distribution.read_text("entry_points.txt") or "")
    except (OSError, UnicodeDecodeError):
        return False


def _plugins(distribution: metadata.Distribution) -> Iterator[Found]:
    facts = distribution.metadata
    name, version = facts["Name"], facts["Version"] or "unknown"
    requires = stated_requirement(facts.get_all("Requires-Dist") or ())
    names: set[str] = set()
    try:
        points = list(distribution.entry_points.select(group=GROUP))
    except Exception as error:
        fault = f"its entry_points.txt cannot be read: {in_one_line(error)}"
        points, names = [metadata.EntryPoint(normalized(name), "", GROUP)], set()
        yield Found(points[0].name, points[0].name, name, version, requires, points[0], fault)
        return
    for point in points:
        fault = "" if NAME.fullmatch(point.name) else f"{point.name!r} is no name for a plugin"
        if point.name in names:
            fault = "its distribution has two entry points with this name"
        names.add(point.name)
        yield Found(point.name, point.name, name, version, requires, point, fault)


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
