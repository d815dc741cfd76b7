"""The contract as a test class. pytest is imported nowhere here: it calls what it finds."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar

from zoo.errors import ZooError
from zoo.testing.outcome import Check, ContractWarning


class PluginContract:
    """All checks of a plugin, a test each.

    An author's whole test file is a subclass that names the plugin::

        class TestPenguin(zoo.testing.PluginContract):
            plugin = "penguin"

    Attributes:
        plugin: Its name, the entry point's.
        only: Entries whose name matches are checked.
        options: By an entry's name, options without which it cannot be built.
    """

    plugin: ClassVar[str]
    only: ClassVar[str] = "*"
    options: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Make a test of each check; pytest calls this while it collects."""
        from zoo.testing.contract import checks_of

        try:
            checks = checks_of(self.plugin, only=self.only, options=self.options)
        except ZooError as error:
            checks = [Check(f"plugin {self.plugin}", "is installed and loads", _raising(error))]
        metafunc.parametrize("check", checks, ids=[check.id for check in checks])

    def test_contract(self, check: Check) -> None:
        """The plugin keeps this part of zoo's contract."""
        __tracebackhide__ = True
        outcome = check.run()
        if outcome.status == "skipped":
            import pytest

            pytest.skip(outcome.detail)
        if outcome.status == "warning":
            warnings.warn(outcome.detail, ContractWarning, stacklevel=1)
        if outcome.status == "failed":
            raise AssertionError(outcome.detail)


def _raising(error: Exception) -> Any:
    def fail() -> None:
        raise error

    return fail
