"""The leash of a trial: what is told through the pipe, and how long a run waits for it."""

from __future__ import annotations

import threading

import pytest

from zoo.training import leash as module
from zoo.training.leash import LEASH, Leash, ends, goes_on, leash


def nothing() -> None:
    """Heed nothing."""


@pytest.mark.parametrize("cuts", [(0,), (1,), (1, 2, 3), (4,)])
def test_lines_may_come_in_pieces(cuts: tuple[int, ...]):
    """A pipe promises bytes and no lines."""
    text, held = goes_on(1) + goes_on(12) + ends(12), Leash()
    for start, stop in zip((0, *cuts), (*cuts, len(text)), strict=True):
        held.hear(text[start:stop])
    assert [held.goes_on(epoch, nothing) for epoch in (0, 3, 11, 12)] == [True, True, True, False]


def test_a_run_that_ends_later_goes_on_until_there():
    """As one that was killed and has trained less than was decided on."""
    held = Leash()
    held.hear(ends(3))
    assert [held.goes_on(epoch, nothing) for epoch in (1, 2, 3)] == [True, True, False]


def test_who_waits_hears_of_it_and_heeds_signals_meanwhile():
    """A signal's exception ends the waiting; a word that comes later is not missed."""
    held, calls = Leash(), []

    def count() -> None:
        calls.append(None)
        if len(calls) == 2:
            threading.Thread(target=held.hear, args=(goes_on(2),)).start()

    held.hear(goes_on(1))
    assert held.goes_on(1, count)
    assert len(calls) >= 2

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        held.goes_on(2, stop)


def test_only_a_trial_has_one(monkeypatch: pytest.MonkeyPatch):
    """By a variable that a sweep sets."""
    monkeypatch.delenv(LEASH, raising=False)
    assert leash() is None
    monkeypatch.setenv(LEASH, "1")
    assert leash() is module._OF_THIS_PROCESS
