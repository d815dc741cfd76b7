"""What exists: plugins are found, loaded and registered here, and their entries looked up. Never imports torch."""

from zoo.registry.adding import Add
from zoo.registry.api import create, entries
from zoo.registry.building import build, check_result
from zoo.registry.entry import Entry, Plugin
from zoo.registry.hookspec import hookimpl
from zoo.registry.kinds import KINDS, Kind, kind_named
from zoo.registry.lookup import Registry, registry
from zoo.registry.signatures import REQUIRED, Option, Signature, options_of, signature_of

__all__ = [
    "KINDS",
    "REQUIRED",
    "Add",
    "Entry",
    "Kind",
    "Option",
    "Plugin",
    "Registry",
    "Signature",
    "build",
    "check_result",
    "create",
    "entries",
    "hookimpl",
    "kind_named",
    "options_of",
    "registry",
    "signature_of",
]
