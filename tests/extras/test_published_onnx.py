"""A published folder with the exported file in it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.cli import main

pytestmark = pytest.mark.extras


def test_the_exported_file_is_one_of_the_folder(tmp_path: Path):
    """It is listed in the manifest, says what the model says, and the folder is whole."""
    zoo.train("linear", steps=2, batch_size=32, threads=1, options={"data.limit": 64}, out=tmp_path / "run")
    found = zoo.publish(tmp_path / "run", tmp_path / "mine", licence="MIT", onnx=True)
    assert found["files"] == [
        "MANIFEST.json",
        "README.md",
        "config.json",
        "environment.json",
        "metrics.csv",
        "model.onnx",
        "model.safetensors",
        "report.html",
        "zoo.toml",
    ]
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == found["files"]
    listed = json.loads((tmp_path / "mine" / "MANIFEST.json").read_bytes())["files"]
    assert listed["model.onnx"]["bytes"] == (tmp_path / "mine" / "model.onnx").stat().st_size
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "digit.png")
    answers = []
    for source in ("mine", "mine/model.onnx"):
        out = tmp_path / "found.jsonl"
        assert main(["predict", str(tmp_path / source), str(tmp_path / "digit.png"), "--out", str(out), "--quiet"]) == 0
        answers.append(json.loads(out.read_text())["label"])
    assert answers[0] == answers[1]


def test_without_the_extra_nothing_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """And one is told what to install."""
    zoo.train("linear", steps=2, batch_size=32, threads=1, options={"data.limit": 64}, out=tmp_path / "run")
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert main(["publish", str(tmp_path / "run"), str(tmp_path / "mine"), "--onnx"]) == 2
    assert "pip install 'torch-zoo[onnx]'" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
