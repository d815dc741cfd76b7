"""``zoo report --explain``: what in the worst mistakes spoke for the class that they were called."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from written_sweeps import small_search

import zoo
from zoo.cli import main
from zoo.errors import UsageError
from zoo.records.lock import RunLock
from zoo.reports.details import MISTAKES
from zoo.reports.evaluations import read_evaluation
from zoo.reports.explanations import heated

KEPT = "evaluations/test-best"


@pytest.fixture
def run(both_kinds: Path, tmp_path: Path) -> Path:
    """The convolutional network's, to be written to."""
    return Path(shutil.copytree(both_kinds / "lenet5", tmp_path / "run"))


def pictures(run: Path, alt: str) -> list[np.ndarray]:
    """Return the pictures of a page whose texts begin so, (H, W, 3)."""
    page = (run / "report.html").read_text()
    found = re.findall(rf'<img src="data:image/png;base64,([^"]+)"[^>]*alt="{alt}', page)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB")) for text in found]


def test_the_page_shows_what_spoke_for_each_wrong_class(run: Path, capsys: pytest.CaptureFixture[str]):
    """Beside each mistake, over its own pixels; the numbers say how it was found."""
    assert main(["report", str(run), "--explain"]) == 0
    assert capsys.readouterr().out == f"{run / 'report.html'}\n"
    document, kept = json.loads((run / "report.json").read_text()), read_evaluation(run, "test-best")
    assert document["explained"] == {"method": "grad-cam", "layer": kept.document["explained"]["layer"]}
    shown = pictures(run, "what spoke for")
    assert len(shown) == len(document["mistakes"]) == len(kept.arrays["worst_heat"]) == MISTAKES
    for picture, pixels, heat in zip(shown, kept.arrays["worst_pixels"], kept.arrays["worst_heat"], strict=False):
        assert np.array_equal(picture, heated(pixels, heat).transpose(1, 2, 0))
    page = (run / "report.html").read_text()
    assert f"Grad-CAM of {document['explained']['layer']}" in page
    assert [f'alt="what spoke for {each["prediction"]}"' in page for each in document["mistakes"]] == [True] * MISTAKES


def test_the_heat_is_that_of_explain(run: Path):
    """For the class that the image was called, and of the very pixels that were evaluated."""
    assert zoo.explain_mistakes(run) == MISTAKES
    kept = read_evaluation(run, "test-best")
    for row in (0, 5, MISTAKES - 1):
        called = kept.classes[kept.outcomes.predictions[kept.arrays["worst"][row]]]
        found = zoo.explain(run, kept.arrays["worst_pixels"][row][0], label=called)
        assert np.array_equal(kept.arrays["worst_heat"][row], (found.heat * 255).round().astype(np.uint8))
        assert found.label == called
        assert found.probability == pytest.approx(float(kept.outcomes.confidence[kept.arrays["worst"][row]]), abs=1e-5)


def test_all_else_of_the_evaluation_stays(run: Path):
    """Logits, labels and metrics, to the bit; done again, not a byte changes."""
    before = read_evaluation(run, "test-best")
    zoo.explain_mistakes(run)
    after, files = read_evaluation(run, "test-best"), [(run / f"{KEPT}.{end}") for end in ("json", "safetensors")]
    assert set(after.arrays) == {*before.arrays, "worst_heat"}
    assert all(np.array_equal(before.arrays[name], after.arrays[name]) for name in before.arrays)
    changed = {key for key in after.document if after.document[key] != before.document.get(key)}
    assert changed == {"explained", "tensors"}
    written = [file.read_bytes() for file in files]
    zoo.explain_mistakes(run)
    assert [file.read_bytes() for file in files] == written


def test_a_model_without_convolutions_is_covered_place_by_place(both_kinds: Path, tmp_path: Path):
    run = Path(shutil.copytree(both_kinds / "linear", tmp_path / "run"))
    zoo.explain_mistakes(run)
    page = zoo.report(run).read_text()
    assert "the brighter the more (occlusion)" in page
    assert json.loads((run / "report.json").read_text())["explained"] == {"method": "occlusion", "layer": ""}


def test_a_new_evaluation_has_no_heat_until_one_asks_again(run: Path):
    zoo.explain_mistakes(run)
    zoo.evaluate(run)
    zoo.report(run)
    assert json.loads((run / "report.json").read_text())["explained"] is None
    assert pictures(run, "what spoke for") == []
    assert len(pictures(run, "test image")) == MISTAKES


def test_validation_mistakes_are_looked_at_where_there_are_no_test_s(run: Path):
    for end in ("json", "safetensors"):
        (run / f"{KEPT}.{end}").unlink()
    assert zoo.explain_mistakes(run) > 0
    assert "worst_heat" in read_evaluation(run, "validation-best").arrays


def test_where_nothing_was_mistaken_nothing_is_looked_at(run: Path, monkeypatch: pytest.MonkeyPatch):
    """And nothing is written."""
    kept = read_evaluation(run, "test-best")
    arrays = {name: array for name, array in kept.arrays.items() if not name.startswith("worst")}
    monkeypatch.setattr("zoo.runs.mistakes.main_evaluation", lambda *_: type(kept)(kept.name, kept.document, arrays))
    before = (run / f"{KEPT}.json").read_bytes()
    assert zoo.explain_mistakes(run) == 0
    assert (run / f"{KEPT}.json").read_bytes() == before


def _without_evaluations(run: Path) -> None:
    shutil.rmtree(run / "evaluations")


def _of_another_checkpoint(run: Path) -> None:
    file = run / f"{KEPT}.json"
    document = json.loads(file.read_text())
    file.write_text(json.dumps({**document, "checkpoint_digest": "0" * 64}))


def _damaged(run: Path) -> None:
    file = run / f"{KEPT}.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\0\1")


@pytest.mark.parametrize(
    ("spoil", "code", "said"),
    [
        (_without_evaluations, 2, "keeps no evaluation 'test-best'; make it by: zoo evaluate"),
        (_of_another_checkpoint, 2, "test-best is of another checkpoint than"),
        (_damaged, 4, "test-best.safetensors is damaged"),
    ],
)
def test_bad_input_costs_a_line(spoil, code: int, said: str, run: Path, capsys: pytest.CaptureFixture[str]):
    """And leaves the page as it was."""
    page = zoo.report(run).read_bytes()
    spoil(run)
    assert main(["report", str(run), "--explain"]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert (run / "report.html").read_bytes() == page


def test_a_run_that_is_written_to_is_left_alone(run: Path):
    with RunLock(run), pytest.raises(zoo.ZooError, match="is being written by"):
        zoo.explain_mistakes(run)
    assert "worst_heat" not in read_evaluation(run, "test-best").arrays


def test_a_sweep_says_that_one_run_is_wanted(tmp_path: Path):
    with pytest.raises(UsageError, match="looks at one run"):
        zoo.explain_mistakes(small_search(tmp_path / "sweep", "gelu"))


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_heat_lies_over_the_image_in_grey(channels: int):
    """Where nothing speaks for the class the image is darkened violet; where most does it is bright and yellow."""
    pixels = np.full((channels, 4, 6), 200, dtype=np.uint8)
    heat = np.zeros((4, 6), dtype=np.uint8)
    heat[1, 2] = 255
    shown = heated(pixels, heat)
    assert (shown.dtype, shown.shape) == (np.uint8, (3, 4, 6))
    cold, hot = shown[:, 0, 0].astype(int), shown[:, 1, 2].astype(int)
    assert hot.sum() > cold.sum()
    assert cold[2] > cold[1]  # violet: more blue than green
    assert hot[0] > hot[2]  # yellow: more red than blue
    assert np.unique(shown.reshape(3, -1), axis=1).shape[1] == 2
