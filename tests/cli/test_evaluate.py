"""``zoo evaluate`` and ``zoo calibrate``, as one types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

import zoo
from zoo.cli import main


@pytest.fixture(autouse=True)
def _in_a_folder_with_the_run(run: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(run.parent)


def write_images(folder: str, names: dict[int, str]) -> None:
    """Write some of MNIST's test images as files, a folder a class."""
    test = zoo.create("datasets", "mnist").test
    for place in range(60):
        images, labels = test.batch(torch.tensor([place]))
        if (name := names.get(int(labels))) is not None:
            Path(folder, name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(images[0, 0].numpy()).save(Path(folder, name, f"{place}.png"))


def test_a_short_table_tells_what_is_weak(capsys: pytest.CaptureFixture[str]):
    """The line with the accuracy first, then further numbers, then classes with what they are taken for."""
    assert main(["evaluate", "run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("test accuracy ")
    assert lines[1].startswith("95 % interval ")
    assert lines[2].startswith("log loss ")
    assert lines[3].split("  ")[0] == "WEAKEST CLASS"
    assert len(lines) == 9


def test_quiet_prints_the_accuracy_alone(capsys: pytest.CaptureFixture[str]):
    """For scripts that print one line a run."""
    assert main(["evaluate", "run", "--quiet"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_json_tells_everything(capsys: pytest.CaptureFixture[str]):
    """Also of each class."""
    assert main(["evaluate", "run", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"nll", "brier", "ece", "ece_equal_mass", "ece_by_chance", "macro_f1", "accuracy_interval"} <= found.keys()
    assert [row["class"] for row in found["classes"]] == [str(k) for k in range(10)]
    assert found["kept"] == "run/evaluations/test-best.json"


def test_new_images_are_scored_with_their_classes_matched_by_name(capsys: pytest.CaptureFixture[str]):
    """Unknown and missing classes are told, and the evaluation is kept under a name of its own."""
    write_images("new", {0: "0", 1: "1", 3: "three", 4: "4"})
    assert main(["evaluate", "run", "--data", "folder", "--set", "data.root=new"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("folder accuracy ")
    assert "left out: 5 images of classes that the model does not know: three" in out
    assert "no images of 7 of the model's 10 classes: 2, 3, 5, 6, 7 and 2 more" in out
    found = json.loads(Path("run/evaluations/folder-new-best.json").read_text())
    assert (found["split"], found["left_out"], found["unknown_classes"]) == ("all", 5, ["three"])
    assert (
        main(["evaluate", "run", "--data", "folder", "--set", "data.root=new", "--name", "ours", "--split", "test"])
        == 0
    )
    assert Path("run/evaluations/ours-best.json").exists()


BAD = {
    "an option of the run": (
        ["--data", "folder", "--set", "train.epochs=3"],
        "'train.epochs' is a setting of the run, which stays",
    ),
    "a split of other data": (["--split", "all"], "there is no split 'all'; choose from train, validation, test"),
    "a name for its own data": (["--name", "x"], "--name is for an evaluation of other data"),
    "images of another size": (
        ["--data", "folder", "--set", "data.root=new", "--set", "data.size=14"],
        "the model takes 1 x 28 x 28 and these images are 1 x 14 x 14",
    ),
    "other classes": (["--data", "folder", "--set", "data.root=others"], "none of the classes is the model's"),
    "a misspelt dataset": (["--data", "foldre"], "no dataset named 'foldre'. Did you mean 'folder'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_costs_a_line_or_two(case: str, capsys: pytest.CaptureFixture[str]):
    """And exit code 2."""
    write_images("new", {0: "0", 1: "1"})
    write_images("others", {0: "zero", 1: "one"})
    arguments, message = BAD[case]
    assert main(["evaluate", "run", *arguments]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert len(err.splitlines()) <= 2


def test_calibrate_tells_what_it_changed(capsys: pytest.CaptureFixture[str]):
    """And --json all of it."""
    assert main(["calibrate", "run"]) == 0
    assert capsys.readouterr().out.startswith("temperature ")
    assert main(["calibrate", "run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["samples"] == 600
