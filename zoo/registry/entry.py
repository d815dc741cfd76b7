"""What a plugin registered, and what became of the plugin."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pluggy

from zoo.errors import PluginError, ZooError
from zoo.registry.kinds import kind_named

OWN_DISTRIBUTION = "torch-zoo"

Target = str | Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that a plugin offers, with where it comes from.

    Attributes:
        kind: In the plural, as in ``zoo list models``.
        name: As registered; unique in its plugin and kind.
        target: The builder, or where it is: ``"module:attribute"``, imported only when it is needed.
        summary: One line that says what it is.
        arguments: Keywords that are bound to the builder; the user's options override them.
        short: Whether the plugin offers the name alone, too. `Registry.short_name` says whether it works.
        plugin: Its plugin's label: ``"timm"``, or ``"twin@zoo-twin-a"`` where two distributions share a name.
        distribution: The name of the distribution that holds the plugin.
        version: The distribution's version.
        facts: What its plugin states of a model or of weights; see `zoo.registry.catalogue`, `zoo.registry.weights`.
    """

    kind: str
    name: str
    target: Target
    summary: str
    arguments: Mapping[str, Any] = field(hash=False)
    short: bool
    plugin: str
    distribution: str
    version: str
    facts: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def full_name(self) -> str:
        """``plugin/name``: always works, and is what runs and checkpoints record."""
        return f"{self.plugin}/{self.name}"

    @property
    def own(self) -> bool:
        """Whether zoo itself brought it; its short name is then its own, whatever is installed."""
        return normalized(self.distribution) == OWN_DISTRIBUTION

    def __str__(self) -> str:
        return f"{kind_named(self.kind).singular} {self.full_name!r} ({f'{self.distribution} {self.version}'.strip()})"

    def load(self) -> Callable[..., Any]:
        """Import the target.

        Raises:
            PluginError: If it cannot be imported, or is not callable.
        """
        target = self._import(self.target) if isinstance(self.target, str) else self.target
        if not callable(target):
            raise PluginError(f"{self}: its target {self.target!r} is no builder but {target!r:.60}")
        return target

    def _import(self, target: str) -> Any:
        from pkgutil import resolve_name

        try:
            # What a module prints while it is imported would spoil the JSON on stdout.
            with contextlib.redirect_stdout(sys.stderr):
                return resolve_name(target)
        except (KeyboardInterrupt, ZooError):
            raise
        except BaseException as error:
            raise PluginError(
                f"{self}: its target {target!r} does not load: {in_one_line(error)}. "
                f"Mend, upgrade or uninstall {self.distribution}."
            ) from error

    def read_text(self) -> str:
        """Return the text of a target that is a file in a package, ``"package.module:file.toml"``, as recipes are.

        Raises:
            PluginError: If there is no such file.
        """
        return self.read_file(str(self.target))

    def read_file(self, place: str) -> str:
        """Return the text of a file in a package, ``"package.module:file"``, that the entry names.

        Raises:
            PluginError: If there is no such file.
        """
        from importlib.resources import files

        package, _, name = place.partition(":")
        try:
            return files(package).joinpath(name).read_text(encoding="utf-8")
        except (ImportError, OSError, UnicodeDecodeError) as error:
            raise PluginError(f"{self}: its file {place!r} cannot be read: {in_one_line(error)}") from error


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin and what became of it.

    Attributes:
        name: Its label, which stands before the slash in full names.
        distribution: The name of the distribution that holds it.
        version: The distribution's version.
        requires: What the distribution states about zoo, as ``"torch-zoo>=0.1"``, or None.
        status: ``"ok"``, ``"broken"``, ``"incompatible"`` or ``"disabled"``.
        reason: Why it is not ok, in one line.
        import_ms: Milliseconds that importing and registering it took.
        pulled_torch: Whether that imported torch.
        entries: What it registered; nothing unless it is ok.
        hooks: Its hooks, to be called by keyword with all of a hook's arguments.
    """

    name: str
    distribution: str
    version: str
    requires: str | None = None
    status: str = "ok"
    reason: str = ""
    import_ms: float = 0.0
    pulled_torch: bool = False
    entries: tuple[Entry, ...] = ()
    hooks: pluggy.HookRelay | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        return f"plugin {self.name!r} ({self.distribution} {self.version})"


def normalized(distribution: str) -> str:
    """Return a distribution's name in the one spelling that compares (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def in_one_line(error: BaseException, width: int = 240) -> str:
    """Return the error's type and message on one line, its own words alone where it is zoo's."""
    message = " ".join(str(error).split())
    text = message if isinstance(error, ZooError) else f"{type(error).__name__}: {message}".removesuffix(": ")
    return text if len(text) <= width else f"{text[: width - 1]}…"
