"""``zoo catalogue``: the page is written whole, or a line says why not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fake_distributions import FakeSite, offering_models


@pytest.fixture(autouse=True)
def plugins(site: FakeSite) -> None:
    """A plugin with two models."""
    site.install("auk", offering_models("net", "auk_net"))


def test_the_page_is_written_and_counted(zoo: Any, tmp_path: Path):
    """A second time over the first, with equal bytes."""
    page = tmp_path / "models.html"
    assert zoo("catalogue", "--html", str(page)).out == f"{page}: 2 models\n"
    first = page.read_bytes()
    assert b"auk/auk_net" in first
    assert json.loads(zoo("catalogue", "--html", str(page), "--json").out)["models"] == 2
    assert page.read_bytes() == first


def test_a_place_that_cannot_be_written_is_told(zoo: Any, tmp_path: Path):
    """Exit code 2 and no half file."""
    done = zoo("catalogue", "--html", str(tmp_path / "missing" / "models.html"))
    assert done.code == 2
    assert "cannot write" in done.err
