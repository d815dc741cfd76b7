"""Which of several processes speaks: one for all, each of its own faults alone."""

from __future__ import annotations

import logging

import pytest

from zoo.cli import ranks
from zoo.cli.ranks import is_first, told
from zoo.cli.train import _tell
from zoo.errors import DamagedError, LostError, ToldError, UsageError


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No launcher's variables, whatever started the tests."""
    for name in ("WORLD_SIZE", "RANK", "ZOO_STORE", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)


def among(monkeypatch: pytest.MonkeyPatch, rank: int, *, met: bool) -> None:
    """Be one of two processes."""
    for name, value in {"ZOO_STORE": "store", "RANK": str(rank), "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(ranks, "_have_met", lambda: met)


def test_a_process_that_is_alone_speaks():
    """As it is."""
    assert is_first()
    assert told("zoo: no.", UsageError("no.")) == "zoo: no."


@pytest.mark.parametrize("rank", [0, 1])
def test_the_first_of_several_prints_what_comes_of_a_command(monkeypatch: pytest.MonkeyPatch, rank: int):
    """The others would print the same."""
    among(monkeypatch, rank, met=True)
    assert is_first() == (rank == 0)


@pytest.mark.parametrize(
    ("rank", "met", "error", "shown"),
    [
        (0, False, UsageError("no."), "zoo: no."),
        (0, True, DamagedError("no."), "zoo: no."),
        (1, False, UsageError("no."), ""),
        (1, False, ValueError("no."), ""),
        (1, True, DamagedError("no."), "zoo: process 1 of 2: no."),
        (1, True, ValueError("no."), "zoo: process 1 of 2: no."),
        (1, True, ToldError(2), ""),
        (1, False, LostError("no."), "zoo: no."),
        (1, True, LostError("no."), "zoo: no."),
    ],
)
def test_an_error_is_told_once(monkeypatch: pytest.MonkeyPatch, rank: int, met: bool, error: Exception, shown: str):
    """By the first where all have it; by each where it is that process's own; a lost one by whoever missed it."""
    among(monkeypatch, rank, met=met)
    assert told("zoo: no.", error) == shown


def test_only_the_first_zoo_of_a_message_gets_the_process(monkeypatch: pytest.MonkeyPatch):
    """A path may have the same letters."""
    among(monkeypatch, 1, met=True)
    assert told("zoo: /a/zoo: b", DamagedError("")) == "zoo: process 1 of 2: /a/zoo: b"


def test_wrong_variables_are_told_by_every_process(monkeypatch: pytest.MonkeyPatch):
    """None of them knows which it is."""
    among(monkeypatch, 2, met=False)
    assert is_first()
    assert told("zoo: RANK", UsageError("RANK")) == "zoo: RANK"


def test_a_process_that_met_nobody_is_not_ended_at_once(monkeypatch: pytest.MonkeyPatch):
    """It ends as any other, with what is registered for its end."""
    ended: list[int] = []
    monkeypatch.setattr(ranks.os, "_exit", ended.append)
    monkeypatch.setattr(ranks, "_have_met", lambda: False)
    ranks.end_process_if_it_met_others(3)
    assert ended == []
    monkeypatch.setattr(ranks, "_have_met", lambda: True)
    ranks.end_process_if_it_met_others(3)
    assert ended == [3]


@pytest.mark.parametrize("rank", [0, 1])
def test_the_first_of_several_alone_warns_while_it_trains(monkeypatch: pytest.MonkeyPatch, caplog, rank: int):
    """The others read the same data, and would say the same of them."""
    among(monkeypatch, rank, met=True)

    def train(_: object) -> None:
        logging.getLogger("zoo.tar").warning("something odd")
        logging.getLogger("torch.distributed").warning("rank 1")
        raise UsageError("no.")

    level = logging.getLogger("zoo").level
    try:
        with pytest.raises(UsageError):
            _tell(train, quiet=True, as_json=False, page=False)
    finally:
        logging.getLogger("zoo").setLevel(level)
    assert caplog.messages == ["something odd"] * (rank == 0) + ["rank 1"]
