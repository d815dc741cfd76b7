"""The page of results says what the plugins' files say."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_made_from_the_measured_rows():
    """Nobody edits a number on the page: it is what the script makes of results.csv."""
    script = runpy.run_path(str(ROOT / "tests" / "benchmarks" / "results.py"))
    assert (ROOT / "docs" / "explanation" / "results.md").read_text() == script["page"]()
