"""``zoo data check``: what is wrong with a dataset, as text and as JSON, and what the command ends with."""

from __future__ import annotations

import json
import shutil

import pytest
from small_photos import CLASSES, photographs

import zoo
from zoo.cli import main


@pytest.fixture
def root(tmp_path):
    return photographs(tmp_path / "photos", train=33, test=9)


def test_a_sound_folder_is_told_in_two_lines(root, capsys):
    """A folder's name is enough; with --quiet nothing is said."""
    assert main(["data", "check", str(root)]) == 0
    assert capsys.readouterr().out == ("folder/folder: 33 train, 9 test images of 3 classes\nnothing is wrong\n")
    assert main(["data", "check", str(root), "--quiet"]) == 0
    assert capsys.readouterr().out == ""


def test_what_would_falsify_a_result_ends_with_1_and_damage_with_4(root, capsys):
    """Equal bytes in two splits; then an image that cannot be read, which weighs more."""
    train, test = root / "train" / CLASSES[0], root / "test" / CLASSES[0]
    shutil.copy(train / "000.jpg", test / "other.jpg")
    assert main(["data", "check", str(root)]) == 1
    out = capsys.readouterr().out
    assert "wrong    1 image is in two splits, byte for byte" in out
    assert f"         {train / '000.jpg'}  {test / 'other.jpg'}" in out
    (train / "003.jpg").write_bytes(b"\xff\xd8\xff nothing")
    assert main(["data", "check", "folder", "--set", f"data.root={root}", "--json"]) == 4
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == 1
    assert found["splits"] == {"train": 33, "test": 10}
    assert [(each["kind"], each["severity"]) for each in found["findings"]] == [
        ("unreadable", "damaged"),
        ("leakage", "falsifies"),
    ]
    assert found["findings"][0]["items"][0][0] == str(train / "003.jpg")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "there is no folder 'nowhere', and no dataset named 'nowhere'."),
        (["table", "--set", "data.rot=a.csv"], "no option of dataset 'table/table'"),
        (["folder"], "which images?"),
        (["mnist", "--set", "model.p=1"], "'model.p' is no option of the dataset"),
    ],
)
def test_what_cannot_be_checked_is_wrong_usage(arguments, said, capsys):
    """As for training on it."""
    assert main(["data", "check", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_table_is_checked_by_its_file(root, tmp_path, capsys):
    """As a folder is: what reads it is told from its name."""
    rows = [f"{path},{path.parent.name}\n" for path in sorted((root / "train").rglob("*.jpg"))]
    (tmp_path / "labels.csv").write_text("file,label\n" + "".join(rows))
    assert main(["data", "check", str(tmp_path / "labels.csv")]) == 0
    assert capsys.readouterr().out.startswith("table/table: ")


def test_python_is_told_the_same(root):
    """As plain data."""
    found = zoo.check_data(str(root))
    assert found == {"data": "folder/folder", "splits": {"train": 33, "test": 9}, "classes": 3, "findings": []}


def test_a_run_on_files_is_told_beforehand_and_not_stopped(root, tmp_path, capsys):
    """The quick form warns, once: a run that goes on is not told again."""
    shutil.copy(root / "train" / CLASSES[0] / "000.jpg", root / "test" / CLASSES[0] / "other.jpg")
    command = ["train", "--model", "mlp", "--data", "folder", "--set", f"data.root={root}", "--steps", "1"]
    command += ["--set", "data.size=8", "--no-report", "--out", str(tmp_path / "run")]
    assert main(command) == 0
    assert "1 image is in two splits" in capsys.readouterr().err
