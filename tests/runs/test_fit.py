"""How a run's pictures are fitted is recorded, and predictions fit theirs alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from small_photos import photographs

import zoo


@pytest.mark.parametrize("fit", ["stretch", "pad", "crop"])
def test_pictures_are_fitted_alike_in_training_evaluation_and_prediction(
    fit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The record says how, and an older one, which says nothing, means that they are stretched."""
    monkeypatch.chdir(tmp_path)
    root = photographs(tmp_path / "photos")
    options = {"data.root": str(root), "data.fit": fit, "data.size": [16, 12]}
    run = zoo.train("linear", data="folder", options=options, epochs=1, threads=1, out="run", precision="fp32")
    state = json.loads(next(run.directory.glob("checkpoints/*/state.json")).read_text())
    assert state["images"]["fit"] == fit
    paths = sorted((root / "test").rglob("*.*"))
    pixels = torch.stack([zoo.read_image(path, channels=3, size=(16, 12), fit=fit) for path in paths])
    mean, std = (torch.tensor(state["images"][name]).view(-1, 1, 1) for name in ("mean", "std"))
    with torch.no_grad():
        expected = run.model((pixels / 255 - mean) / std).softmax(1).amax(1)
    found = zoo.predict(run, paths)
    assert [answer.probabilities[0] for answer in found] == pytest.approx(expected.tolist(), abs=1e-4)
    right = [answer.labels[0] == path.parent.name for answer, path in zip(found, paths, strict=True)]
    assert zoo.evaluate(run)["accuracy"] == pytest.approx(sum(right) / len(right))
