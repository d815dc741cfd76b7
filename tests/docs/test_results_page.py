"""The page of results says what the plugins' files say."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmark_scripts import definitions

ROOT = Path(__file__).parents[2]


def test_the_page_is_made_from_the_measured_rows():
    """Nobody edits a number on the page: it is what the script makes of results.csv."""
    page = definitions("results.py")["page"]()
    assert (ROOT / "docs" / "explanation" / "results.md").read_text() == page


def test_the_rivals_on_the_page_are_those_that_were_measured():
    """The table of the page on tuning is what the script makes of its rows."""
    rivals = definitions("rivals.py")
    rows = rivals["read_rows"](ROOT / "docs" / "explanation" / "fine-tuning-rivals.csv")
    assert "\n".join(rivals["table"](rows)) in (ROOT / "docs" / "explanation" / "fine-tuning.md").read_text()


def test_an_interval_is_students():
    """Of three values about 0 with a deviation of 1: 4.303 / sqrt(3) to both sides."""
    low, high = definitions("measuring.py")["mean_interval"]([-1.0, 0.0, 1.0])
    assert (low, high) == pytest.approx((-2.4841, 2.4841), abs=1e-4)
