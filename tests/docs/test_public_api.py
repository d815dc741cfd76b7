"""What was public in the last version still is: names, methods and arguments."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from public_api import LISTING, lines

import zoo

STABILITY = (LISTING.parent / "stability.md").read_text(encoding="utf-8")
REQUIRED = ", required"


def broken(before: list[str], now: list[str]) -> list[str]:
    """Return what a program that was written for *before* would miss in *now*."""
    known = set(now)
    gone = [line for line in before if line not in known and f"{line.removesuffix(REQUIRED)}" not in known]
    names = {line.partition("(")[0] for line in before}
    arguments = {line.removesuffix(REQUIRED) for line in before}
    new = [line for line in now if line.endswith(REQUIRED) and line.removesuffix(REQUIRED) not in arguments]
    return gone + [line for line in new if line.partition("(")[0] in names]


def told(page: str) -> set[str]:
    """Return what the page says has changed since."""
    table = page.partition("## Changed since")[2]
    return set(re.findall(r"^\| `([^`]+)`", table, re.MULTILINE))


def test_what_was_public_is_public():
    """Whatever is gone, or needs more than it did, stands on the page about what stays, with what to write instead."""
    before = [line for line in LISTING.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert len(before) > 200
    assert [line for line in broken(before, list(lines())) if line.partition(":")[0] not in told(STABILITY)] == []


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (["zoo.f", "zoo.f(a): by name"], []),
        (["zoo.f", "zoo.f(a): by name", "zoo.f(b): by name", "zoo.g", "zoo.g(x): by name, required"], []),
        (["zoo.f(a): by name, required"], ["zoo.f"]),
        (["zoo.f", "zoo.f(a): by place"], ["zoo.f(a): by name, required"]),
        (["zoo.f", "zoo.f(a): by name", "zoo.f(b): by name, required"], ["zoo.f(b): by name, required"]),
    ],
)
def test_a_removal_and_a_new_demand_are_found(now: list[str], expected: list[str]):
    """Additions are not, nor an argument that may now be left out."""
    assert broken(["zoo.f", "zoo.f(a): by name, required"], now) == expected


def test_an_argument_that_becomes_required_is_found():
    """Calls without it would fail."""
    assert broken(["zoo.f", "zoo.f(a): by name"], ["zoo.f", "zoo.f(a): by name, required"]) != []


def test_the_listing_tells_how_it_is_made():
    """By the program that the page about releases names."""
    contributing = (LISTING.parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert "python tests/support/public_api.py" in contributing
    assert Path(LISTING.parents[2], "tests/support/public_api.py").is_file()


def test_the_version_is_the_same_everywhere():
    """In the package, the citation and the changelog, which dates it."""
    root = LISTING.parents[2]
    citation = (root / "CITATION.cff").read_text(encoding="utf-8")
    changelog = (root / "docs/changelog.md").read_text(encoding="utf-8")
    released = re.search(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})$", changelog, re.MULTILINE)
    assert released is not None
    assert f"version: {released[1]}\ndate-released: {released[2]}\n" in citation
    assert zoo.__version__ == released[1] or "## [Unreleased]" in changelog
