"""A finished run, trained once for all tests that read one or spoil a copy of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on MNIST's first images, which tests only read and copy."""
    import zoo

    path = tmp_path_factory.mktemp("finished") / "run"
    zoo.train("linear", options={"data.limit": 600}, epochs=2, batch_size=16, threads=1, out=path)
    return path


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    shutil.copytree(finished, tmp_path / "run")
    return tmp_path / "run"
