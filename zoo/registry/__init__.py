"""What exists: plugins are found, loaded and registered here, and their entries looked up. Never imports torch.

The names below are resolved on first use: a listing never pays for what only building needs.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.registry.adding import Add as Add
    from zoo.registry.api import create as create
    from zoo.registry.api import entries as entries
    from zoo.registry.building import build as build
    from zoo.registry.building import check_result as check_result
    from zoo.registry.entry import Entry as Entry
    from zoo.registry.entry import Plugin as Plugin
    from zoo.registry.hookspec import hookimpl as hookimpl
    from zoo.registry.kinds import KINDS as KINDS
    from zoo.registry.kinds import Kind as Kind
    from zoo.registry.kinds import kind_named as kind_named
    from zoo.registry.kinds import kind_of_section as kind_of_section
    from zoo.registry.lookup import Registry as Registry
    from zoo.registry.lookup import registry as registry
    from zoo.registry.signatures import REQUIRED as REQUIRED
    from zoo.registry.signatures import Option as Option
    from zoo.registry.signatures import Signature as Signature
    from zoo.registry.signatures import options_of as options_of
    from zoo.registry.signatures import signature_of as signature_of

_HOMES = {
    "KINDS": "kinds",
    "REQUIRED": "signatures",
    "Add": "adding",
    "Entry": "entry",
    "Kind": "kinds",
    "Option": "signatures",
    "Plugin": "entry",
    "Registry": "lookup",
    "Signature": "signatures",
    "build": "building",
    "check_result": "building",
    "create": "api",
    "entries": "api",
    "hookimpl": "hookspec",
    "kind_named": "kinds",
    "kind_of_section": "kinds",
    "options_of": "signatures",
    "registry": "lookup",
    "signature_of": "signatures",
}

__all__ = [*_HOMES]  # noqa: PLE0604 - the names stand in _HOMES


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
