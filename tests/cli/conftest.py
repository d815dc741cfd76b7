"""Running commands in this process, over a fake site folder whose plugins alone are installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from fake_distributions import FakeSite
from fake_distributions import site as site  # noqa: PLC0414 - a fixture is found by its name here

from zoo.cli import main
from zoo.registry import registry
from zoo.registry.discovery import find


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


Zoo = Callable[..., Done]


@pytest.fixture
def zoo(site: FakeSite, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Zoo]:
    """The command ``zoo`` as a function of its arguments; each call sees what is installed by then."""
    monkeypatch.setattr("zoo.registry.lookup.find", lambda: find([str(site.path)]))

    def run(*arguments: str) -> Done:
        registry.cache_clear()
        code = main(arguments)
        return Done(code, *capsys.readouterr())

    yield run
    registry.cache_clear()
