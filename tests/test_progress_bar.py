"""The progress bar, on terminals of all kinds."""

from __future__ import annotations

import io
import itertools
import re

import pytest

import zoo
from zoo import progress_bar


class Terminal(io.TextIOWrapper):
    """Takes what is written, and says that it is a terminal."""

    def __init__(self, encoding: str = "utf-8", *, tty: bool = True) -> None:
        super().__init__(io.BytesIO(), encoding=encoding)
        self.tty = tty

    def isatty(self) -> bool:
        return self.tty

    @property
    def shown(self) -> str:
        """Everything that was written."""
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)


@pytest.fixture(autouse=True)
def second_by_second(monkeypatch):
    """Each look at the clock is a second later; the terminal has 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("TERM", raising=False)
    seconds = itertools.count(100)
    monkeypatch.setattr(progress_bar.time, "monotonic", lambda: float(next(seconds)))


def test_it_says_what_is_done_and_of_how_many_and_goes_away():
    """A line that is drawn over itself, and in the end nothing, with the cursor back."""
    terminal = Terminal()
    with zoo.ProgressBar("epoch 1/5", 430, terminal) as bar:
        bar.move(215)
        bar.advance(43)
    lines = [re.sub(r"\x1b\[\?25l", "", line).rstrip() for line in terminal.shown.split("\r")]
    assert lines[1] == "epoch 1/5 " + "━" * 20 + "─" * 20 + " 215/430"
    assert lines[2] == "epoch 1/5 " + "━" * 24 + "─" * 16 + " 258/430"
    assert lines[3:] == ["\x1b[K\x1b[?25h"]


def test_what_is_left_counts_the_seconds_that_were_spent_before(monkeypatch):
    """A run that goes on in the middle of an epoch estimates its end from the whole of it."""
    monkeypatch.setattr(progress_bar.time, "time", lambda: 1000.0)
    terminal = Terminal()
    bar = zoo.ProgressBar("epoch 1/5", 100, terminal, seconds=50.0)
    bar.move(50)
    assert "50/100  00:00:50" in terminal.shown


def test_of_bytes_the_share_is_shown():
    """Nobody reads eight digits that change."""
    terminal = Terminal()
    zoo.ProgressBar("images.gz", 20_000_000, terminal).move(5_000_000)
    assert terminal.shown.rstrip().endswith(" 25%")


def test_hidden_for_a_line_it_comes_back():
    """What is printed between stands on a clean line; hiding twice writes once."""
    terminal = Terminal()
    bar = zoo.ProgressBar("epoch 1/5", 10, terminal)
    bar.move(1)
    bar.hide()
    bar.hide()
    terminal.write("a line\n")
    bar.move(2)
    assert terminal.shown.count("\x1b[K") == 1
    assert re.search(r"a line\n\r.*epoch 1/5 ━+─+ 2/10", terminal.shown)


def test_it_is_drawn_a_few_times_a_second(monkeypatch):
    """Not at every step, which would take its time."""
    monkeypatch.setattr(progress_bar.time, "monotonic", lambda: 100.0)
    terminal = Terminal()
    bar = zoo.ProgressBar("epoch 1/5", 10, terminal)
    for done in range(1, 10):
        bar.move(done)
    assert terminal.shown.count("epoch") == 1


def test_without_those_lines_in_its_encoding_it_is_drawn_with_others():
    """A terminal in plain ASCII gets plain characters, and no error."""
    terminal = Terminal("ascii")
    zoo.ProgressBar("epoch 1/5", 2, terminal).move(1)
    assert "#" * 20 + "-" * 20 in terminal.shown


@pytest.mark.parametrize(
    ("tty", "variables"),
    [(False, {}), (True, {"TERM": "dumb"}), (True, {"COLUMNS": "30"})],
    ids=["pipe", "dumb", "narrow"],
)
def test_nothing_is_drawn_where_nobody_would_see_it(monkeypatch, tty, variables):
    """Neither the bar, nor what takes it away."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    terminal = Terminal(tty=tty)
    with zoo.ProgressBar("epoch 1/5", 10, terminal) as bar:
        bar.move(5)
    assert terminal.shown == ""


def test_a_total_that_is_not_known_is_no_error():
    """A server need not say how long its file is."""
    terminal = Terminal()
    with zoo.ProgressBar("images.gz", None, terminal) as bar:
        bar.advance(1000)
        bar.advance(1000)
    assert "images.gz" in terminal.shown
