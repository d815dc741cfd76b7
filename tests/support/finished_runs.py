"""Finished runs, trained once for all tests that read them or spoil a copy."""

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


@pytest.fixture(scope="session")
def both_kinds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of a perceptron, linear, and one of a convolutional network, lenet5, with many mistakes."""
    import zoo

    folder = tmp_path_factory.mktemp("both")
    for model in ("mlp/linear", "cnn/lenet5"):
        zoo.train(model, out=folder / model[4:], steps=4, batch_size=32, options={"data.limit": 128}, threads=1)
    return folder
