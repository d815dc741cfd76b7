"""The names of a new plugin, made from the one that its author gives."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass

from zoo.errors import UsageError
from zoo.registry.entry import normalized

_PREFIX = re.compile(r"(?i)^zoo[-_.]+")
_RULE = "give letters, digits, '-' and '_', beginning with a letter, such as 'penguin' or 'king-penguin'"
_LONGEST = 64


@dataclass(frozen=True)
class PluginName:
    """One name in the spellings that it takes.

    Attributes:
        plugin: The entry point's, which stands before the slash in full names: ``king_penguin``.
    """

    plugin: str

    @classmethod
    def parse(cls, text: str) -> PluginName:
        """Read a name in any spelling that PEP 503 holds equal, with or without ``zoo-`` before it.

        Raises:
            UsageError: If it is no name, or nothing in Python could have it.
        """
        plugin = normalized(_PREFIX.sub("", text)).replace("-", "_")
        if not re.fullmatch(r"[a-z][a-z0-9_]*[a-z0-9]|[a-z]", plugin):
            raise UsageError(f"{text!r} is no name for a plugin: {_RULE}")
        if len(plugin) > _LONGEST:
            raise UsageError(f"{text!r} is no name for a plugin: it has more than {_LONGEST} characters")
        if keyword.iskeyword(plugin):
            raise UsageError(f"{text!r} is no name for a plugin: it is a word of the Python language; give another")
        return cls(plugin)

    @property
    def distribution(self) -> str:
        """What one installs: ``zoo-king-penguin``, normalised as PEP 503 says."""
        return f"zoo-{self.plugin.replace('_', '-')}"

    @property
    def package(self) -> str:
        """What one imports: ``zoo_king_penguin``."""
        return f"zoo_{self.plugin}"

    @property
    def class_name(self) -> str:
        """What stands in the names of classes: ``KingPenguin``."""
        return "".join(word.capitalize() for word in self.plugin.split("_"))
