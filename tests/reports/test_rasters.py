"""`zoo.evaluation_pictures`: the matrix and the worst mistakes as pictures of Pillow's."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save

import zoo
from zoo.errors import UsageError

BLUE, RED = np.array([37, 99, 201]), np.array([209, 72, 47])
CELL = 30


def kept(
    run: Path, labels: list[int], predictions: list[int], classes: list[str], pixels: np.ndarray | None = None
) -> Path:
    """Write the run that keeps this evaluation, the mistakes among it with *pixels*, uint8 (N, C, H, W)."""
    logits = np.full((len(labels), len(classes)), -1, dtype=np.float32)
    logits[np.arange(len(labels)), predictions] = 2
    wrong = np.flatnonzero(np.array(labels) != np.array(predictions))
    arrays = {
        "logits": logits,
        "labels": np.array(labels),
        "predictions": np.array(predictions),
        "places": np.arange(len(labels)),
    }
    if pixels is not None:
        arrays |= {"worst": wrong, "worst_pixels": pixels}
    data = save(arrays)
    (run / "evaluations").mkdir(parents=True)
    (run / "config.toml").touch()
    (run / "evaluations/test-best.safetensors").write_bytes(data)
    document = {"schema": 1, "split": "test", "checkpoint": "best", "epoch": 1, "checkpoint_digest": ""}
    document |= {"classes": classes, "samples": len(labels), "images": {}, "metrics": {}}
    document["tensors"] = {"sha256": hashlib.sha256(data).hexdigest()}
    (run / "evaluations/test-best.json").write_text(json.dumps(document))
    return run


def array(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB")).astype(int)


def margin_of(matrix: Image.Image, classes: int) -> int:
    """Return how many pixels the names take, above and to the left; below is a line that says what is what."""
    return matrix.height - classes * CELL - 18


def cell(matrix: Image.Image, classes: int, row: int, column: int) -> np.ndarray:
    """Return the colour of a cell's corner, where no number stands."""
    margin = margin_of(matrix, classes)
    return array(matrix)[margin + row * CELL + 1, margin + column * CELL + 1]


def test_a_cell_is_the_stronger_the_greater_its_share_of_the_row(tmp_path: Path):
    """Actual classes in rows: right ones blue, mistakes red and four times as strong, what never happened white."""
    matrix = zoo.evaluation_pictures(kept(tmp_path, [0] * 10 + [1], [0] * 9 + [1, 1], ["ant", "bee"]))["confusion"]
    assert cell(matrix, 2, 0, 0) == pytest.approx(255 - (255 - BLUE) * 0.9, abs=1)
    assert cell(matrix, 2, 0, 1) == pytest.approx(255 - (255 - RED) * 0.55, abs=1)
    assert cell(matrix, 2, 1, 0).tolist() == [255, 255, 255]
    assert cell(matrix, 2, 1, 1) == pytest.approx(BLUE, abs=1)


def test_a_count_stands_in_each_cell_that_happened(tmp_path: Path):
    """And in no other one."""
    matrix = zoo.evaluation_pictures(kept(tmp_path, [0, 0, 1], [0, 1, 1], ["ant", "bee"]))["confusion"]
    margin = margin_of(matrix, 2)
    cells = (
        array(matrix)[margin : margin + 2 * CELL, margin : margin + 2 * CELL]
        .reshape(2, CELL, 2, CELL, 3)
        .swapaxes(1, 2)
        .reshape(2, 2, -1, 3)
    )
    drawn = [[len(np.unique(cells[row, column], axis=0)) > 1 for column in (0, 1)] for row in (0, 1)]
    assert drawn == [[True, True], [False, True]]


def test_a_class_without_images_has_an_empty_row(tmp_path: Path):
    """It is no division by zero."""
    matrix = zoo.evaluation_pictures(kept(tmp_path, [0, 1], [0, 1], ["ant", "bee", "cat"]))["confusion"]
    assert all(cell(matrix, 3, 2, column).tolist() == [255, 255, 255] for column in range(3))


@pytest.mark.parametrize("name", ["蚂蚁", "a class of a very long name indeed", "", "two\nlines", "\udcff"])
def test_any_name_can_be_drawn(tmp_path: Path, name: str):
    """The font has few letters: others become question marks, and what is long is cut."""
    run = kept(tmp_path, [0, 1], [1, 1], [name, "bee"], np.zeros((1, 1, 4, 4), dtype=np.uint8))
    pictures = zoo.evaluation_pictures(run)
    assert list(pictures) == ["confusion", "mistakes"]
    assert margin_of(pictures["confusion"], 2) < 120


@pytest.mark.parametrize(("classes", "side"), [(21, 21 * 22), (480, 480)])
def test_of_many_classes_the_matrix_is_shades_alone(tmp_path: Path, classes: int, side: int):
    """A cell of few pixels has no room for a number."""
    names, labels = [str(number) for number in range(classes)], list(range(classes))
    matrix = zoo.evaluation_pictures(kept(tmp_path, labels, labels, names))["confusion"]
    assert matrix.size == (side, side)
    assert array(matrix)[0, 0] == pytest.approx(BLUE, abs=1)
    assert array(matrix)[0, -1].tolist() == [255, 255, 255]


def test_of_too_many_classes_there_is_no_matrix(tmp_path: Path):
    """Each would have less than a pixel."""
    names = [str(number) for number in range(481)]
    assert zoo.evaluation_pictures(kept(tmp_path, [0], [0], names)) == {}


@pytest.mark.parametrize("count", [1, 7, 30])
def test_the_worst_mistakes_stand_in_rows_of_six(tmp_path: Path, count: int):
    """Up to 24, small ones pixel by pixel."""
    pixels = np.arange(count, dtype=np.uint8).repeat(16).reshape(count, 1, 4, 4) + 100
    run = kept(tmp_path, [0] * count, [1] * count, ["ant", "bee"], pixels)
    sheet = zoo.evaluation_pictures(run)["mistakes"]
    assert sheet.mode == "L"
    shown, step = min(count, 24), (104, 96 + 34)
    assert sheet.size == (min(shown, 6) * step[0], -(-shown // 6) * step[1])
    for number in range(shown):
        left, top = number % 6 * step[0] + 4, number // 6 * step[1] + 4
        found = np.asarray(sheet)[top : top + 96, left : left + 96]
        assert np.unique(found).tolist() == [100 + number]


def test_a_photograph_is_made_smaller_and_keeps_its_sides(tmp_path: Path):
    """And its colours."""
    pixels = np.broadcast_to(np.array([200, 100, 50], dtype=np.uint8).reshape(1, 3, 1, 1), (1, 3, 100, 200))
    sheet = zoo.evaluation_pictures(kept(tmp_path, [0], [1], ["ant", "bee"], pixels.copy()))["mistakes"]
    assert sheet.size == (104, 48 + 34)
    assert array(sheet)[4:52, 4:100].reshape(-1, 3).tolist() == [[200, 100, 50]] * 48 * 96


def test_a_run_without_evaluations_says_how_one_is_made(tmp_path: Path):
    """As the other readers of evaluations do."""
    (tmp_path / "config.toml").touch()
    with pytest.raises(UsageError, match="zoo evaluate"):
        zoo.evaluation_pictures(tmp_path)
