"""What a plugin's ``register`` hook is given: ``add``, with one method a kind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from zoo.errors import PluginError
from zoo.registry.entry import Entry, Target
from zoo.registry.kinds import KINDS, Kind

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[\w./-]+")


class Add:
    """Collects a plugin's entries, one method a kind.

    Args:
        plugin: The plugin's label, which stands before the slash in full names.
        distribution: The name of the distribution that holds it.
        version: The distribution's version.

    Attributes:
        entries: What was added, by kind and name.
    """

    model: AddEntry
    optimizer: AddEntry
    criterion: AddEntry
    scheduler: AddEntry
    dataset: AddEntry
    augmentation: AddEntry
    observer: AddEntry
    recipe: AddEntry

    def __init__(self, plugin: str, distribution: str, version: str) -> None:
        self.origin = (plugin, distribution, version)
        self.entries: dict[tuple[str, str], Entry] = {}
        for kind in KINDS:
            setattr(self, kind.singular, AddEntry(kind, self))


class AddEntry:
    """Adds entries of one kind, as ``add.model`` does."""

    def __init__(self, kind: Kind, add: Add) -> None:
        self._kind, self._add = kind, add

    def __call__(
        self,
        name: str,
        target: Target,
        *,
        summary: str,
        arguments: Mapping[str, Any] | None = None,
        short: bool = True,
    ) -> None:
        """Add one entry.

        Args:
            name: Letters, digits, ``_``, ``.`` and ``-``, the first a letter or digit; best the builder's own name.
            target: The builder, or better ``"module:attribute"``, imported only when it is built. For a recipe
                ``"package:file.toml"``, a file in that package.
            summary: One line that says what it is.
            arguments: Keywords that are bound to the builder, so that many names can share one.
            short: Whether the name alone may be used, too, where no other plugin offers it.

        Raises:
            PluginError: If an argument breaks these rules, or the plugin added the name before. None of the
                plugin's entries count then.
        """
        bound = {} if arguments is None else arguments
        if fault := self._fault(name, target, summary, bound):
            raise PluginError(f"add.{self._kind.singular}({name!r}, ...): {fault}")
        kind = self._kind.plural
        self._add.entries[kind, name] = Entry(kind, name, target, summary, dict(bound), bool(short), *self._add.origin)

    def _fault(self, name: Any, target: Any, summary: Any, arguments: Any) -> str:
        """Say which of the rules an entry breaks, whatever types a plugin gives."""
        if not isinstance(name, str) or not NAME.fullmatch(name):
            return "a name has letters, digits, '_', '.' and '-', and begins with a letter or digit"
        if (self._kind.plural, name) in self._add.entries:
            return "the plugin adds this name twice"
        if not callable(target) and not (isinstance(target, str) and _TARGET.fullmatch(target)):
            return f"the target is {target!r}, not 'module:attribute' or a callable"
        if not isinstance(summary, str) or not summary.strip() or "\n" in summary:
            return f"the summary is {summary!r}, not one line that says what it is"
        if not isinstance(arguments, Mapping) or not all(isinstance(key, str) for key in arguments):
            return f"the arguments are {arguments!r}, not keywords"
        return ""
