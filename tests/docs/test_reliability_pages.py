"""The numbers and names in docs/explanation/reliability.md and security.md are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

from zoo.errors import DamagedError
from zoo.records.disk import Disk
from zoo.records.tensors import MAX_HEADER

EXPLANATION = Path(__file__).parents[2] / "docs" / "explanation"


def page(name: str) -> str:
    return (EXPLANATION / name).read_text(encoding="utf-8")


def test_the_numbers_are_those_of_the_code() -> None:
    """The header's limit, the exit code of damage, and how many methods a disk has."""
    methods = [name for name in vars(Disk) if not name.startswith("_")]
    words = {6: "six", 7: "seven", 8: "eight"}
    assert f"an object with {words[len(methods)]} methods" in page("reliability.md")
    assert f"exit code {DamagedError.exit_code}" in page("reliability.md")
    assert f"limited to {MAX_HEADER // 2**20} MiB" in page("security.md")


def test_links_between_the_pages_lead_somewhere() -> None:
    """Every relative link is a file."""
    for name in ("reliability.md", "security.md"):
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", page(name)):
            assert (EXPLANATION / target).is_file(), f"{name}: {target}"
