"""The contract that plugin authors run against their own package: ``zoo plugins check NAME``, or as a test class.

Each check is a plain function, too: it takes an entry, as `zoo.entries` returns them, and raises a `ContractError` that
says what was expected, what was seen and how to mend it. The names are resolved on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.testing.contract import checks_of as checks_of
    from zoo.testing.contract import checks_of_entry as checks_of_entry
    from zoo.testing.outcome import Check as Check
    from zoo.testing.outcome import ContractError as ContractError
    from zoo.testing.outcome import ContractWarning as ContractWarning
    from zoo.testing.outcome import Outcome as Outcome
    from zoo.testing.suite import PluginContract as PluginContract

_HOMES = {
    "Check": "outcome",
    "ContractError": "outcome",
    "ContractWarning": "outcome",
    "Outcome": "outcome",
    "PluginContract": "suite",
    "checks_of": "contract",
    "checks_of_entry": "contract",
}

__all__ = [*_HOMES]  # noqa: PLE0604 - the names stand in _HOMES


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
