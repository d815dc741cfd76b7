"""What ``zoo predict`` writes: tables, lines of JSON and embeddings, whole or not at all."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from zoo.cli.docstrings import argument_texts, first_paragraph
from zoo.cli.embeddings_file import embeddings_file
from zoo.cli.predictions_file import predictions_file
from zoo.errors import DamagedError, UsageError
from zoo.reports.predictions import Prediction, Unread, damaged_files, prediction_of

LABELS = ("ant", "bee", "cat")
SHARES = (0.5, 0.375, 0.125)


def said(image: str = "a.png", *, top: int = 3, embedding: NDArray[np.float32] | None = None) -> Prediction:
    return Prediction(image, LABELS[0], LABELS[:top], SHARES[:top], embedding)


def unread(image: str = "bad.png") -> Unread:
    return Unread(image, DamagedError(f"{image} is cut"))


def rows_of(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("top", [1, 2, 3])
def test_a_table_has_a_row_an_image_and_a_column_a_cell(tmp_path: Path, top: int):
    """Also where an image could not be read: its fault stands in the column of faults."""
    path = tmp_path / "said.csv"
    with predictions_file(path, top) as write:
        write(said(top=top))
        write(unread())
    header, first, second = rows_of(path)
    assert header[:3] == ["image", "label", "probability"]
    assert len(header) == len(set(header)) == len(first) == len(second) == 2 + 2 * top
    assert dict(zip(header, first, strict=True))["fault"] == ""
    assert dict(zip(header, second, strict=True))["fault"] == "bad.png is cut"
    assert second[1:-1] == [""] * 2 * top
    for rank in range(2, top + 1):
        row = dict(zip(header, first, strict=True))
        assert (row[f"label_{rank}"], float(row[f"probability_{rank}"])) == (LABELS[rank - 1], SHARES[rank - 1])


def test_an_unknown_image_keeps_its_other_classes(tmp_path: Path):
    """The label says unknown; the probability is that of the likeliest class."""
    path = tmp_path / "said.csv"
    with predictions_file(path, 2) as write:
        write(prediction_of("a.png", LABELS[:2], SHARES[:2], 0.6))
    assert rows_of(path)[1] == ["a.png", "unknown", "0.5", "bee", "0.375", ""]


@pytest.mark.parametrize(("threshold", "label"), [(0.0, "ant"), (0.5, "ant"), (0.5000001, "unknown"), (1.0, "unknown")])
def test_a_class_as_likely_as_the_threshold_is_said(threshold: float, label: str):
    """And not one below it."""
    found = prediction_of("a.png", LABELS, SHARES, threshold)
    assert found.label == label
    assert found.labels == LABELS


@settings(max_examples=15)
@given(st.lists(st.text(st.characters(exclude_characters="\r\n"), min_size=1, max_size=6), max_size=4))
def test_lines_are_json_that_comes_back(tmp_path_factory: pytest.TempPathFactory, names: list[str]):
    """One an image, in their order, whatever the files' names."""
    path = tmp_path_factory.mktemp("out") / "said.JSONL"
    with predictions_file(path, 3) as write:
        for name in names:
            write(said(name))
            write(unread(name))
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [each["image"] for each in found] == [name for name in names for _ in range(2)]
    assert found[1::2] == [{"image": name, "fault": f"{name} is cut"} for name in names]
    assert all(
        each == {**said(each["image"]).to_dict(), "labels": [*LABELS], "probabilities": [*SHARES]}
        for each in found[::2]
    )


def test_a_name_that_is_no_utf_8_is_escaped_in_a_table(tmp_path: Path):
    """No encoding has it; the row is written all the same."""
    path = tmp_path / "said.csv"
    with predictions_file(path, 1) as write:
        write(said("caf\udce9.png", top=1))
    assert rows_of(path)[1][0] == r"caf\udce9.png"


@pytest.mark.parametrize("name", ["said.txt", "said", "csv", "said.csv.gz"])
def test_another_ending_is_refused(tmp_path: Path, name: str):
    """Before an image is looked at."""
    with (
        pytest.raises(UsageError, match=r"--out must be a file .csv or .jsonl, not '.*"),
        predictions_file(tmp_path / name, 1),
    ):
        pytest.fail("it was opened")
    with (
        pytest.raises(UsageError, match=r"--embeddings must be a file .npy, not '.*"),
        embeddings_file(tmp_path / name, 1),
    ):
        pytest.fail("it was opened")


def test_a_folder_is_no_file(tmp_path: Path):
    """Although its name ends like one."""
    (tmp_path / "a.csv").mkdir()
    (tmp_path / "a.npy").mkdir()
    with pytest.raises(UsageError, match="--out must be a file"), predictions_file(tmp_path / "a.csv", 1):
        pytest.fail("it was opened")
    with pytest.raises(UsageError, match="--embeddings must be a file"), embeddings_file(tmp_path / "a.npy", 1):
        pytest.fail("it was opened")


def test_a_file_in_no_folder_cannot_be_written(tmp_path: Path):
    """With the system's own reason."""
    for opened in (predictions_file(tmp_path / "no" / "a.csv", 1), embeddings_file(tmp_path / "no" / "a.npy", 1)):
        with pytest.raises(UsageError, match=r"cannot write '.*': No such file or directory"), opened:
            pytest.fail("it was opened")


def test_what_breaks_off_leaves_the_earlier_file(tmp_path: Path):
    """Half a table would pass for a whole one."""
    path = tmp_path / "said.csv"
    path.write_text("earlier")
    with pytest.raises(KeyboardInterrupt), predictions_file(path, 1) as write:  # noqa: PT012 - that is the case
        write(said(top=1))
        raise KeyboardInterrupt
    assert path.read_text() == "earlier"
    assert [child.name for child in tmp_path.iterdir()] == ["said.csv"]


@settings(max_examples=25)
@given(st.lists(st.booleans(), max_size=6), st.integers(1, 4))
def test_embeddings_have_a_row_an_outcome(tmp_path_factory: pytest.TempPathFactory, read: list[bool], length: int):
    """NaN for an image that could not be read, wherever it stands; equal bits for the others."""
    path = tmp_path_factory.mktemp("out") / "e.npy"
    vectors = [np.arange(length, dtype=np.float32) + number / 3 for number in range(len(read))]
    with embeddings_file(path, len(read)) as add:
        for number, right in enumerate(read):
            add(said(embedding=vectors[number].astype(np.float32)) if right else unread())
    found = np.load(path)
    assert found.dtype == np.float32
    assert found.shape == (len(read), length if any(read) else 0)
    for row, vector, right in zip(found, vectors, read, strict=True):
        assert np.array_equal(row, vector.astype(np.float32)) if right else np.isnan(row).all()


def test_all_damaged_files_are_named_at_once():
    """The first with its fault, the cure once."""
    error = damaged_files([unread("a.png"), unread("b.png")], "Leave them out with --skip-damaged")
    assert error.exit_code == 4
    assert list(error.faults) == ["a.png", "b.png"]
    assert str(error).startswith("a.png is cut. Leave them out with --skip-damaged")
    assert "b.png" in str(error)
    assert str(damaged_files([unread("a.png")])) == "a.png is cut"


def documented() -> None:
    """Build a thing
    on two lines.

    More of it.

    Args:
        first: What comes first, which takes
            another line: it says more.
        second (int): In old style.
        *rest: Not a name.
        third:
            On its own line.

    Returns:
        fourth: No argument.
    """  # noqa: D205 - two lines are what is tested


def test_a_docstring_tells_its_arguments():
    """Each on one line; a colon in a further line begins no other argument."""
    assert first_paragraph(documented) == "Build a thing on two lines."
    texts = argument_texts(documented)
    assert texts["first"] == "What comes first, which takes another line: it says more."
    assert texts["second"].startswith("In old style.")
    assert texts["third"] == "On its own line."
    assert texts.keys() == {"first", "second", "third"}


def test_what_has_no_docstring_tells_nothing():
    """As a plugin's builder may be."""
    undocumented = lambda: None  # noqa: E731 - a function without a docstring
    assert first_paragraph(undocumented) == ""
    assert argument_texts(undocumented) == argument_texts(first_paragraph) == {}
