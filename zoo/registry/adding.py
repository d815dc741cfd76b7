"""What a plugin's ``register`` hook is given: ``add``, with one method a kind."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

from zoo.errors import PluginError
from zoo.registry.entry import Entry, Target
from zoo.registry.kinds import KINDS, Kind

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class Add:
    """Collects a plugin's entries, one method a kind.

    Args:
        plugin: The plugin's label, which stands before the slash in full names.
        distribution: The name of the distribution that holds it.
        version: The distribution's version.
    """

    model: AddEntry
    optimizer: AddEntry
    criterion: AddEntry
    scheduler: AddEntry
    dataset: AddEntry
    augmentation: AddEntry
    observer: AddEntry
    searcher: AddEntry
    pruner: AddEntry
    recipe: AddEntry
    exporter: AddEntry
    weights: AddEntry

    def __init__(self, plugin: str, distribution: str, version: str) -> None:
        for kind in KINDS:
            setattr(self, kind.singular, AddEntry(kind, (plugin, distribution, version)))

    def entries(self) -> tuple[Entry, ...]:
        """Return what was added, kind by kind."""
        return tuple(entry for adder in vars(self).values() for entry in adder.entries.values())


class AddEntry:
    """Adds entries of one kind, as ``add.model`` does.

    Args:
        kind: What it adds.
        origin: The plugin's label, the distribution's name and version.

    Attributes:
        entries: What was added, by name.
    """

    def __init__(self, kind: Kind, origin: tuple[str, str, str]) -> None:
        self._kind, self._origin = kind, origin
        self.entries: dict[str, Entry] = {}

    def __call__(
        self,
        name: str,
        target: Target,
        *,
        summary: str,
        arguments: Mapping[str, Any] | None = None,
        short: bool = True,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """Add one entry.

        Args:
            name: Letters, digits, ``_``, ``.`` and ``-``, the first a letter or digit; best the builder's own name.
            target: The builder, or better ``"module:attribute"``, imported only when it is built. For a recipe
                ``"package:file.toml"``, a file in that package; for weights such a file, an address, or a file on the
                hub at a commit, ``"hf:user/name@commit/file"``.
            summary: One line that says what it is.
            arguments: Keywords that are bound to the builder, so that many names can share one.
            short: Whether the name alone may be used, too, where no other plugin offers it.
            facts: What a model has and costs, for those who choose: ``parameters``, ``macs`` and ``activations`` of one
                image, ``input_size`` as (C, H, W), ``family``, ``paper``, and ``weights``, a list of tables with
                ``tag``, ``licence`` and ``accuracy``. ``zoo plugins check --measure`` prints the first four. Weights
                must state ``bytes``, ``sha256``, ``licence``, ``model`` and ``classes``, and may state what they
                expect: ``mean``, ``std``, ``size``, ``interpolation``, ``crop``.

        Raises:
            PluginError: If an argument breaks these rules, or the plugin added the name before. None of the
                plugin's entries count then.
        """
        bound = {} if arguments is None else arguments
        if fault := self._fault(name, target, summary, bound) or self._fault_in_facts(facts):
            raise PluginError(f"add.{self._kind.singular}({name!r}, ...): {fault}")
        self.entries[name] = Entry(
            self._kind.plural, name, target, summary, dict(bound), bool(short), *self._origin, dict(facts or {})
        )

    def _fault(self, name: Any, target: Any, summary: Any, arguments: Any) -> str:
        """Say which of the rules an entry breaks, whatever types a plugin gives."""
        if not isinstance(name, str) or not NAME.fullmatch(name):
            return "a name has letters, digits, '_', '.' and '-', and begins with a letter or digit"
        if name in self.entries:
            return "the plugin adds this name twice"
        if self._kind.singular == "weights":
            if not _is_place(target):
                return f"the target is {target!r}, not 'package:file', an address or 'hf:user/name@commit/file'"
        elif not (_is_path(target) if isinstance(target, str) else callable(target)):
            return f"the target is {target!r}, not 'module:attribute' or a callable"
        if not isinstance(summary, str) or not summary.strip() or "\n" in summary:
            return f"the summary is {summary!r}, not one line that says what it is"
        if not isinstance(arguments, Mapping) or not set(map(type, arguments)) <= {str}:
            return f"the arguments are {arguments!r}, not keywords"
        return ""

    def _fault_in_facts(self, facts: Any) -> str:
        """Say what is wrong with the facts of a model, which may have some, or of weights, which must."""
        kind = self._kind.singular
        if facts is None and kind != "weights":
            return ""
        if kind not in ("model", "weights"):
            return "only models and weights have facts"
        try:
            _read_facts(kind, facts)
        except (TypeError, ValueError) as error:
            return f"the facts are {facts!r:.80}: {error}"
        return ""


def _read_facts(kind: str, facts: Any) -> None:
    if kind == "weights":
        from zoo.registry.weights import stated_file

        stated_file(facts)
    else:
        from zoo.registry.catalogue import stated

        stated(facts)


def _is_place(target: Any) -> bool:
    from zoo.registry.weights import place_of

    return place_of(target) is not None


@functools.cache  # many names share one target
def _is_path(target: str) -> bool:
    return re.fullmatch(r"[A-Za-z_][\w.]*:[\w./-]+", target) is not None
