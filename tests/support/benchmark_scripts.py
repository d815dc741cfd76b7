"""The scripts of tests/benchmarks, whose tables and pages are tested."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


def definitions(name: str) -> dict[str, Any]:
    """Return what a script defines, by name, with its neighbours importable as where it is started."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        return runpy.run_path(str(FOLDER / name))
