"""``zoo pack``: a set in one file, and what is said of it."""

from __future__ import annotations

import json

from small_photos import photographs

from zoo.cli import main


def test_a_folder_is_packed_and_trained_on(tmp_path, capsys):
    """The command says what to type next, and that works."""
    root, file = photographs(tmp_path / "photos", train=30, test=6), tmp_path / "photos.pack"
    assert main(["pack", str(root), str(file), "--size", "8"]) == 0
    first, following = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{file}: 30 train, 6 test images, 0.")
    assert following == f"next: zoo train --data packed --set data.root={file}"
    command = [*following.split()[2:], "--model", "mlp", "--steps", "1", "--no-report", "--out", str(tmp_path / "run")]
    assert main(command) == 0
    assert "all in memory" in capsys.readouterr().out
    assert main(["data", "check", "packed", "--set", f"data.root={file}"]) == 0


def test_what_was_written_is_told_as_json(tmp_path, capsys):
    """And a file that is there is wrong usage."""
    root, file = photographs(tmp_path / "photos", train=9, test=3), tmp_path / "photos.pack"
    arguments = ["pack", "folder", str(file), "--set", f"data.root={root}", "--set", "data.size=40", "--json"]
    assert main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {
        "schema": 1,
        "file": str(file),
        "bytes": file.stat().st_size,
        "data": "folder/folder",
        "splits": {"train": 9, "test": 3},
        "shape": [3, 40, 40],
        "kept": 12,
    }
    assert main(arguments) == 2
    assert "give another name" in capsys.readouterr().err
