"""The fake site folder, for the tests of the contract."""

from __future__ import annotations

import pytest
from fake_distributions import site as site  # noqa: PLC0414 - a fixture is found by its name here


@pytest.hookimpl(tryfirst=True)  # before pytest leaves the slow ones out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave it to the slow suite to start torch anew for each plugin; one of them is enough here."""
    for item in items:
        _, _, name = item.nodeid.partition("test_first_party.py::")
        if "[plugin" in name and name.endswith("new process]") and not name.startswith("TestMlp"):
            item.add_marker("slow")
