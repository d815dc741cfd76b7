"""``zoo predict``, as one types it."""

from __future__ import annotations

import csv
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo.cli import main


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A finished run, which tests only read."""
    path = str(tmp_path_factory.mktemp("runs") / "run")
    small = ["--epochs", "1", "--threads", "1", "--set", "data.limit=64", "--quiet", "--out", path]
    assert main(["train", "--model", "linear", *small]) == 0
    return path


@pytest.fixture(autouse=True)
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of three images in the working folder, the second damaged."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(3):
        noise = np.random.default_rng(index).integers(0, 256, (28, 28), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{index}.png")
    (folder / "1.png").write_bytes((folder / "1.png").read_bytes()[:200])
    return folder


def test_a_folder_is_predicted_file_by_file(run: str, photos: Path, capsys: pytest.CaptureFixture[str]):
    """One line each, in order."""
    (photos / "1.png").unlink()
    assert main(["predict", run, "photos"]) == 0
    out, err = capsys.readouterr()
    assert [line.split("\t")[0] for line in out.splitlines()] == ["photos/0.png", "photos/2.png"]
    assert err == ""


def test_a_damaged_file_stops_it_with_the_cure(run: str, capsys: pytest.CaptureFixture[str]):
    """What comes before it is printed already."""
    assert main(["predict", run, "photos"]) == 4
    out, err = capsys.readouterr()
    assert out.startswith("photos/0.png\t")
    assert "photos/2.png" not in out
    assert err.startswith("zoo: 'photos/1.png' is a damaged image: ")
    assert err.endswith(". --skip-damaged passes over such files.\n")


def test_damaged_files_are_passed_over_and_told_at_the_end(run: str, capsys: pytest.CaptureFixture[str]):
    """The others have their lines; exit code 4 says that some have none."""
    Path("none.png").write_bytes(b"")
    assert main(["predict", run, "none.png", "photos", "--skip-damaged"]) == 4
    out, err = capsys.readouterr()
    assert [line.split("\t")[0] for line in out.splitlines()] == ["photos/0.png", "photos/2.png"]
    assert err.startswith("zoo: 'none.png' is no image that zoo reads")
    assert err.endswith("(1 more such file)\n  'photos/1.png'\n")


def test_json_has_both(run: str, capsys: pytest.CaptureFixture[str]):
    """One document, with what is wrong beside what was predicted."""
    assert main(["predict", run, "photos", "--skip-damaged", "--json"]) == 4
    document = json.loads(capsys.readouterr().out)
    assert [each["image"] for each in document["predictions"]] == ["photos/0.png", "photos/2.png"]
    assert [each["image"] for each in document["damaged"]] == ["photos/1.png"]
    assert "is a damaged image" in document["damaged"][0]["fault"]


def test_nothing_is_printed_before_all_paths_are_there(run: str, capsys: pytest.CaptureFixture[str]):
    """A misspelt name costs no minute."""
    assert main(["predict", run, "photos/0.png", "nowhere.png", "--skip-damaged"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "'nowhere.png': No such file or directory" in err


def test_a_name_never_breaks_its_line(run: str, photos: Path, capsys: pytest.CaptureFixture[str]):
    """Tabs, line ends and what is no UTF-8 are escaped; JSON has the name as Python keeps it."""
    odd = os.fsencode(photos) + b"/caf\xe9\t\n.png"
    (photos / "0.png").rename(os.fsdecode(odd))
    assert main(["predict", run, os.fsdecode(odd)]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    name, _, _ = line.split("\t")
    assert name.endswith(r"caf\udce9\t\n.png")
    assert main(["predict", run, os.fsdecode(odd), "--json"]) == 0
    (prediction,) = json.loads(capsys.readouterr().out)["predictions"]
    assert os.fsencode(prediction["image"]) == odd


@pytest.mark.parametrize(
    ("terminal", "more", "drawn"), [(True, (), True), (True, ("--quiet",), False), (False, (), False)]
)
def test_a_terminal_sees_how_far_it_is(run: str, terminal: bool, more, drawn: bool, capsys, monkeypatch):
    """Into a pipe and with --quiet nothing is drawn."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    monkeypatch.setattr("zoo.progress_bar._REDRAW_SECONDS", 0.0)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    assert main(["predict", run, "photos/0.png", "photos/2.png", *more]) == 0
    assert ("predicting" in capsys.readouterr().err) is drawn


def test_a_table_has_a_row_an_image(run: str, capsys: pytest.CaptureFixture[str]):
    """With what is wrong where nothing can be said; nothing is printed beside it."""
    assert main(["predict", run, "photos", "--top-k", "2", "--skip-damaged", "--out", "found.csv"]) == 4
    assert capsys.readouterr().out == ""
    with Path("found.csv").open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header == ["image", "label", "probability", "label_2", "probability_2", "fault"]
    assert [row[0] for row in rows] == ["photos/0.png", "photos/1.png", "photos/2.png"]
    assert main(["predict", run, "photos/0.png", "--top-k", "2", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["predictions"]
    assert [rows[0][1], rows[0][3]] == told["labels"]
    assert [float(rows[0][2]), float(rows[0][4])] == pytest.approx(told["probabilities"], abs=1e-6)
    assert rows[1][1:5] == [""] * 4
    assert "is a damaged image" in rows[1][5]


def test_lines_of_json_have_an_object_an_image(run: str, photos: Path):
    """Names that are no UTF-8 come back as they are."""
    odd = os.fsdecode(b"caf\xe9.png")
    (photos / "0.png").rename(photos / odd)
    assert main(["predict", run, "photos", "--skip-damaged", "--out", "found.jsonl"]) == 4
    lines = [json.loads(line) for line in Path("found.jsonl").read_text(encoding="ascii").splitlines()]
    assert [line["image"] for line in lines] == ["photos/1.png", "photos/2.png", f"photos/{odd}"]
    assert set(lines[0]) == {"image", "fault"}
    assert set(lines[1]) == {"image", "label", "labels", "probabilities"}


def test_a_file_is_whole_or_not_there(run: str, capsys: pytest.CaptureFixture[str]):
    """Where it stops half-way, one of before stays, and nothing of it is left about."""
    Path("found.csv").write_text("before")
    assert main(["predict", run, "photos", "--out", "found.csv"]) == 4
    assert Path("found.csv").read_text() == "before"
    assert sorted(path.name for path in Path().iterdir()) == ["found.csv", "photos"]
    assert "--skip-damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--out", "found.txt"], "--out must be a file .csv or .jsonl, not 'found.txt'"),
        (["--out", "nowhere/found.csv"], "cannot write 'nowhere/found.csv': No such file or directory"),
        (["--out", "found.csv", "--json"], "--out writes a file and --json prints; give one of them"),
        (["--threshold", "1.5"], "1.5 is not in the range 0<=x<=1"),
    ],
)
def test_a_destination_that_cannot_be_is_told(run: str, more: list[str], said: str, capsys):
    """Before anything is predicted."""
    assert main(["predict", run, "photos/0.png", *more]) == 2
    assert said in capsys.readouterr().err


def test_what_is_not_likely_enough_is_unknown(run: str, capsys: pytest.CaptureFixture[str]):
    """The probability and the classes are still told."""
    assert main(["predict", run, "photos/0.png", "--top-k", "2", "--json"]) == 0
    (plain,) = json.loads(capsys.readouterr().out)["predictions"]
    least = plain["probabilities"][0]
    assert plain["label"] == plain["labels"][0]
    assert main(["predict", run, "photos/0.png", "--threshold", str(least + 0.01), "--top-k", "2"]) == 0
    assert capsys.readouterr().out.split("\t")[1:4] == ["unknown", f"{100 * least:.2f} %", plain["labels"][1]]
    assert main(["predict", run, "photos/0.png", "--threshold", str(least - 0.01)]) == 0
    assert capsys.readouterr().out.split("\t")[1] == plain["label"]


def test_embeddings_are_rows_beside_the_names(run: str, tmp_path: Path):
    """What the head of a linear model is given is the image; one that could not be read has a row of NaN."""
    Path("none.png").write_bytes(b"")
    files = ["none.png", "photos", "none.png", "--skip-damaged", "--out", "found.csv", "--embeddings", "found.npy"]
    assert main(["predict", run, *files]) == 4
    found = np.load("found.npy")
    with Path("found.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert (found.shape, found.dtype, len(rows)) == ((5, 784), np.float32, 5)
    assert np.isnan(found).all(1).tolist() == [bool(row["fault"]) for row in rows] == [True, False, True, False, True]
    pixels = [np.asarray(Image.open(row["image"])).ravel() for row in rows if not row["fault"]]
    for row, image in zip(found[[1, 3]], pixels, strict=True):
        assert np.corrcoef(row, image)[0, 1] > 0.9999
    assert sorted(item.name for item in tmp_path.iterdir()) == ["found.csv", "found.npy", "none.png", "photos"]


def test_embeddings_go_with_lines_and_json_and_change_neither(run: str, capsys: pytest.CaptureFixture[str]):
    """The document has no place for them."""
    for more in ([], ["--json"]):
        assert main(["predict", run, "photos/0.png", *more]) == 0
        plain = capsys.readouterr().out
        assert main(["predict", run, "photos/0.png", *more, "--embeddings", "found.npy"]) == 0
        assert capsys.readouterr().out == plain
        assert np.load("found.npy").shape == (1, 784)


def test_a_file_of_embeddings_stands_when_all_are_in_it(run: str, capsys: pytest.CaptureFixture[str]):
    """What had the name before stays; none of the images being readable gives rows of no length."""
    np.save("found.npy", np.zeros(3))
    assert main(["predict", run, "photos", "--embeddings", "found.npy"]) == 4
    assert np.load("found.npy").shape == (3,)
    assert main(["predict", run, "photos/1.png", "--embeddings", "found.npy", "--skip-damaged"]) == 4
    assert np.load("found.npy").shape == (1, 0)
    capsys.readouterr()
    for name, message in (
        ("found.csv", "--embeddings must be a file .npy, not 'found.csv'"),
        ("no/such.npy", "cannot write 'no/such.npy': No such file or directory"),
    ):
        assert main(["predict", run, "photos/0.png", "--embeddings", name]) == 2
        assert message in capsys.readouterr().err
