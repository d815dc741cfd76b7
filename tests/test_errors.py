"""What errors say."""

from __future__ import annotations

import pytest

from zoo.errors import DamagedError, DamagedFilesError


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("ZOO_DEBUG", raising=False)


def faults(count: int) -> dict[str, DamagedError]:
    return {f"{i}.png": DamagedError(f"'{i}.png' is cut short.") for i in range(count)}


def test_one_damaged_file_is_one_line():
    """Its own message, and what to do."""
    assert str(DamagedFilesError(faults(1), "Remove it.")) == "'0.png' is cut short. Remove it."


def test_several_damaged_files_are_counted_and_named():
    """The first with what is wrong with it, the others by name."""
    error = DamagedFilesError(faults(3), "Remove it.")
    assert str(error) == "'0.png' is cut short. Remove it. (2 more such files)\n  '1.png'\n  '2.png'"
    assert error.exit_code == 4
    assert list(error.faults) == ["0.png", "1.png", "2.png"]


def test_of_very_many_the_first_are_named_and_the_variable_names_all(monkeypatch: pytest.MonkeyPatch):
    """A terminal is not flooded, and a program finds every name in the error."""
    lines = str(DamagedFilesError(faults(1500))).splitlines()
    assert lines[0] == "'0.png' is cut short. (1,499 more such files)"
    assert lines[20] == "  '20.png'"
    assert lines[21:] == ["  and 1,479 more; ZOO_DEBUG=1 names all"]
    monkeypatch.setenv("ZOO_DEBUG", "1")
    assert len(str(DamagedFilesError(faults(1500))).splitlines()) == 1500
