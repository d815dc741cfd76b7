"""Entries whose builders stand in a test, as if a plugin had registered them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zoo.registry import Entry


def entry_of(kind: str, target: Callable[..., Any], **arguments: Any) -> Entry:
    """Return an entry of this kind, plural, of the plugin ``auk``; each call's equals no other's."""
    name = getattr(target, "__name__", "it").strip("<>")
    return Entry(kind, name, target, "A part of a test.", arguments, True, "auk", "zoo-auk", "1.0")
