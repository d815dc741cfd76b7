"""The page of results says what the plugins' files say."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_made_from_the_measured_rows():
    """Nobody edits a number on the page: it is what the script makes of results.csv."""
    script = runpy.run_path(str(ROOT / "tests" / "benchmarks" / "results.py"))
    assert (ROOT / "docs" / "explanation" / "results.md").read_text() == script["page"]()


def test_the_rivals_on_the_page_are_those_that_were_measured():
    """The table of the page on tuning is what the script makes of its rows."""
    script = runpy.run_path(str(ROOT / "tests" / "benchmarks" / "rivals.py"))
    rows = script["read_rows"](ROOT / "docs" / "explanation" / "fine-tuning-rivals.csv")
    assert "\n".join(script["table"](rows)) in (ROOT / "docs" / "explanation" / "fine-tuning.md").read_text()
