"""The commands that train, evaluate, predict and list runs, as one types them."""

from __future__ import annotations

import json
import os
import re
import shlex
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.cli import main

SMALL = ["--epochs", "2", "--threads", "1", "--batch-size", "16", "--set", "data.limit=64"]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("ZOO_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A finished run, which tests only read."""
    path = tmp_path_factory.mktemp("finished") / "run"
    assert main(["train", "--model", "linear", *SMALL, "--out", str(path), "--quiet"]) == 0
    return path


def test_the_transcript_reads_as_promised(capsys):
    """What is trained, on what and how; a line an epoch; what came of it, and what to do next."""
    assert main(["train", "--model", "linear", *SMALL]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].startswith(f"mlp/linear (torch-zoo {zoo.__version__}), 7,850 parameters, on mnist: ")
    assert lines[0].endswith(": 64 train, 64 validation, 64 test")
    assert re.fullmatch(r"10 classes: 0 \(\d+\), 1 \(\d+\), 2 \(\d+\), 3 \(\d+\), 4 \(\d+\) and 5 more", lines[1])
    assert lines[2].startswith("cpu, 1 thread, ")
    assert lines[2].endswith("; fused adamw lr 0.003, one_cycle, batch 16, seed 0")
    assert lines[3].startswith("epoch 1/2  loss ")
    assert " images/s" in lines[4]
    assert lines[5].startswith("Finished training in 0:0")
    assert lines[6].startswith("runs/")
    assert lines[6].endswith("next: zoo evaluate RUN, zoo predict RUN IMAGE")
    assert len(lines) == 7
    assert err == ""


def test_quiet_prints_the_result_alone(capsys):
    """No epochs, but what came of the run and where it is."""
    assert main(["train", "--model", "linear", *SMALL, "--quiet", "--out", "run"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["Finished", "run"]


def test_json_is_the_summary_and_nothing_else(capsys):
    """Stdout is one JSON document with its schema."""
    assert main(["train", "--model", "linear", *SMALL, "--json", "--out", "run"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == 1
    assert document["directory"] == "run"
    assert document["status"] == "finished"
    assert 0 <= document["test_accuracy"] <= 1


def test_a_flag_beats_the_variable_which_beats_the_file_which_beats_the_recipe(monkeypatch):
    """Each layer overrides the one below, key by key."""
    Path("run.toml").write_text('[model]\nname = "linear"\n[train]\nepochs = 3\nbatch_size = 8\nseed = 4\n')
    monkeypatch.setenv("ZOO_TRAIN_EPOCHS", "2")
    monkeypatch.setenv("ZOO_TRAIN_BATCH_SIZE", "16")
    arguments = ["--config", "run.toml", "--batch-size", "32", "--set", "data.limit=64", "--threads", "1"]
    assert main(["train", *arguments, "--quiet", "--out", "run"]) == 0
    config = tomllib.loads(Path("run/config.toml").read_text())
    assert (config["train"]["epochs"], config["train"]["batch_size"], config["train"]["seed"]) == (2, 32, 4)


BAD = {
    "no model": ([], 2, "no model was named; give one with --model NAME"),
    "misspelt model": (["--model", "cnn_dropuot"], 2, "no model named 'cnn_dropuot'. Did you mean 'cnn_dropout'"),
    "unknown option of the model": (["--set", "model.widht=3"], 2, "It takes none"),
    "wrong type": (["--model", "mlp", "--set", "model.p=abc"], 2, "takes 'p' as float, not 'abc'"),
    "out of range": (["--model", "mlp", "--set", "model.p=2"], 2, "p must be in [0, 1), not 2"),
    "no epochs": (["--epochs", "0"], 2, "--epochs: train.epochs must be a whole number of at least 1, not '0'"),
    "no number": (["--epochs", "three"], 2, "train.epochs must be a whole number of at least 1, not 'three'"),
    "a fraction of all images": (
        ["--validation", "1.0"],
        2,
        "a whole number, or a fraction from 0 to below 1, not '1.0'",
    ),
    "too many threads": (["--threads", "3000"], 2, "train.threads must be a whole number from 1 to 1024, not '3000'"),
    "negative rate": (["--lr", "-1"], 2, "optimizer.lr must be a number above 0, not '-1'"),
    "rate of nan": (["--lr", "nan"], 2, "optimizer.lr must be a number above 0"),
    "key without a section": (["--set", "p=1"], 2, "'p' is no key such as 'model.p'"),
    "unknown section": (["--set", "modle.p=1"], 2, "no section named 'modle'. Did you mean 'model'"),
    "precision": (["--precision", "fp8"], 2, "must be one of auto, fp32, bf16, fp16, not 'fp8'"),
    "interval": (["--checkpoint-every", "soon"], 2, "such as 1epoch, 200steps or 10min, not 'soon'"),
    "missing file": (["--config", "none.toml"], 2, "no configuration file 'none.toml'"),
    "nothing left": (["--validation", "60000"], 2, "leaves none to train on"),
    "restart of nothing": (["--restart"], 2, "--restart needs --out DIR"),
    "resume of nothing": (["--resume", "none"], 2, "leave out --model"),
    "unknown augmentation": (["--augment", "shfit"], 2, "no augmentation named 'shfit'. Did you mean 'shift'"),
    "options of what is not chosen": (["--set", "augment.shift.pixels=1"], 2, "'shift' is not among the chosen"),
    "options of none of several": (
        ["--augment", "shift", "--augment", "mixup,cutmix", "--set", "augment.erasing.largest=0.1"],
        2,
        "'erasing' is not among the chosen: shift, mixup, cutmix",
    ),
    "a folder without data": (["--data", "folder"], 2, "data.root"),
    "misspelt flag": (["--modle", "mlp"], 2, "No such option '--modle'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_costs_a_line_or_two_and_the_right_code(case, capsys):
    """What was given, where, and what to do next; no traceback, and no run."""
    arguments, code, text = BAD[case]
    if case != "no model" and "--model" not in arguments:
        arguments = ["--model", "linear", *arguments]
    assert main(["train", *arguments]) == code
    out, err = capsys.readouterr()
    assert text in err
    assert out == ""
    assert len(err.splitlines()) <= 2
    assert "Traceback" not in err
    assert not Path("runs").exists()


@pytest.mark.parametrize("text", ["shift,mixup", "shift, mixup", "shift mixup"])
def test_names_in_a_variable_are_several(text, monkeypatch, capsys):
    """With commas, as in the option, or spaces."""
    monkeypatch.setenv("ZOO_TRAIN_AUGMENT", text)
    assert main(["train", "--model", "linear", "--set", "augment.erasing.largest=0.1"]) == 2
    assert "'erasing' is not among the chosen: shift, mixup\n" in capsys.readouterr().err


def test_no_names_take_away_those_of_a_recipe(capsys):
    """An empty text is a choice."""
    arguments = ["--recipe", "fashion-best", "--augment", "", "--set", "augment.shift.pixels=1"]
    assert main(["train", *arguments]) == 2
    assert "augment.shift has options, but 'shift' is not among the chosen" in capsys.readouterr().err


def test_a_misspelt_variable_is_an_error(monkeypatch, capsys):
    """A setting that would silently be ignored is none."""
    monkeypatch.setenv("ZOO_TRAIN_EPOCH", "3")
    assert main(["train", "--model", "linear"]) == 2
    assert "Did you mean 'ZOO_TRAIN_EPOCHS'" in capsys.readouterr().err


def test_an_out_that_holds_something_else_is_refused(capsys):
    """A folder with other files in it is not touched."""
    Path("photos").mkdir()
    Path("photos/cat.png").touch()
    assert main(["train", "--model", "linear", "--out", "photos"]) == 2
    assert "holds something else than a run" in capsys.readouterr().err
    assert [path.name for path in Path("photos").iterdir()] == ["cat.png"]


def test_a_file_where_the_run_should_be_is_refused(capsys):
    """`--out` may not be a file."""
    Path("run").write_text("something")
    assert main(["train", "--model", "linear", "--out", "run"]) == 2
    assert Path("run").read_text() == "something"
    assert "give another --out" in capsys.readouterr().err


def test_an_out_that_no_system_takes_is_wrong_usage(capsys):
    """Longer than a name may be."""
    assert main(["train", "--model", "linear", "--out", 300 * "a"]) == 2
    assert capsys.readouterr().err.startswith("zoo: File name too long: aaa")


def test_the_same_command_on_a_finished_run_says_so(finished, capsys):
    """Nothing is trained again, and the exit code is 0."""
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.is_file()}
    assert main(["train", "--model", "linear", *SMALL, "--out", str(finished)]) == 0
    assert "This run is finished. Test accuracy" in capsys.readouterr().out
    assert before == {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.is_file()}
    assert main(["train", "--resume", str(finished)]) == 0


def test_other_settings_for_an_existing_run_are_told_apart(finished, capsys):
    """The difference is named, key by key, and so is the way out."""
    assert main(["train", "--model", "linear", *SMALL, "--lr", "0.5", "--out", str(finished)]) == 2
    err = capsys.readouterr().err
    assert "optimizer.lr is 0.003 there and 0.5 here" in err
    assert "--restart" in err


def test_evaluate_prints_the_logged_accuracy(finished, capsys):
    """The test accuracy comes out again."""
    summary = json.loads((finished / "summary.json").read_text())
    assert main(["evaluate", str(finished), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["accuracy"], document["loss"]) == (summary["test_accuracy"], summary["test_loss"])
    assert main(["evaluate", str(finished)]) == 0
    assert f"test accuracy {100 * summary['test_accuracy']:.2f} %" in capsys.readouterr().out


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
def test_predict_gives_one_line_an_image(finished, mode, capsys):
    """Grey or colour, of any size: the file, the label and its probability."""
    pixels = np.full((40, 56), 0, dtype=np.uint8)
    pixels[5:35, 26:30] = 255
    Image.fromarray(pixels).convert(mode).save("one.png")
    assert main(["predict", str(finished), "one.png", "one.png"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    name, label, probability = lines[0].split("\t")
    assert name == "one.png"
    assert label in "0123456789"
    assert probability.endswith(" %")


def test_predict_tells_the_likeliest_first(finished, capsys):
    """With --top-k, the probabilities fall, and over all classes they sum to 1."""
    Image.fromarray(np.zeros((28, 28), dtype=np.uint8)).save("black.png")
    assert main(["predict", str(finished), "black.png", "--top-k", "10", "--json"]) == 0
    (prediction,) = json.loads(capsys.readouterr().out)["predictions"]
    assert prediction["probabilities"] == sorted(prediction["probabilities"], reverse=True)
    assert sum(prediction["probabilities"]) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("content", "code"), [(None, 2), (b"", 4), (b"no image", 4), (b"\x89PNG\r\n\x1a\n", 4)], ids=str
)
def test_a_file_that_is_no_image_costs_a_line(finished, content, code, capsys):
    """Missing is wrong usage; empty, truncated or something else is damaged."""
    if content is not None:
        Path("image.png").write_bytes(content)
    assert main(["predict", str(finished), "image.png"]) == code
    err = capsys.readouterr().err
    assert "image.png" in err
    assert len(err.splitlines()) <= 2


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["evaluate", "folder"], "'folder' is no trained model: neither a run nor a checkpoint nor a published folder"),
        (["predict", "folder", "image.png"], "'folder' is no trained model"),
        (["train", "--resume", "folder"], "'folder' is no run: it has no config.toml"),
    ],
    ids=["evaluate", "predict", "resume"],
)
def test_a_folder_that_is_no_run_is_told(command, told, capsys):
    """The message says what is missing."""
    Path("folder").mkdir()
    Image.new("L", (28, 28)).save("image.png")
    assert main(command) == 2
    assert told in capsys.readouterr().err


def test_runs_lists_what_was_trained(finished, capsys):
    """Each run with its status, names and accuracies; as JSON with all of its summary."""
    assert main(["runs", str(finished.parent)]) == 0
    assert "finished  mlp/linear  mnist/mnist  2" in capsys.readouterr().out
    assert main(["runs", str(finished.parent), "--json"]) == 0
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    assert (run["status"], run["model"], run["damages"]) == ("finished", "mlp/linear", [])
    assert main(["runs", "nowhere"]) == 2


@pytest.mark.parametrize("name", ["photos", "./photos", "deep/my photos"])
def test_a_folder_in_place_of_a_dataset_s_name_is_told_how_folders_are_named(tmp_path, monkeypatch, name, capsys):
    """As one copies it; where there is no such folder, the name is a misspelt one."""
    monkeypatch.chdir(tmp_path)
    Path(name).mkdir(parents=True)
    assert main(["train", "--model", "linear", "--data", name]) == 2
    err = capsys.readouterr().err
    assert err == f"zoo: no dataset named {name!r}, but a folder; its images are {_folder_words(name)}\n"
    Path(name).rmdir()
    assert main(["train", "--model", "linear", "--data", name]) == 2
    assert "folder;" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "reader"),
    [("a b.CSV", "table"), ("t.jsonl", "table"), ("s.tar", "tar"), ("x.npz", "arrays"), ("p.pack", "packed")],
)
def test_a_file_in_place_of_a_dataset_s_name_is_told_what_reads_it(tmp_path, monkeypatch, name, reader, capsys):
    """By its ending; any other file is no dataset, and neither is one that is not there."""
    monkeypatch.chdir(tmp_path)
    said = f"but a file; its images are --data {reader} --set data.root={shlex.quote(name)}"
    for there in (False, True):
        assert main(["train", "--model", "linear", "--data", name]) == 2
        assert (f"zoo: no dataset named {name!r}, {said}\n" == capsys.readouterr().err) == there
        Path(name).touch()
    Path("notes.txt").touch()
    assert main(["train", "--model", "linear", "--data", "notes.txt"]) == 2
    assert "but a file" not in capsys.readouterr().err


def _folder_words(name: str) -> str:
    return f"--data folder --set data.root={shlex.quote(name)}"


CLASSES = [
    ({"cat": 1081, "dog": 7}, "2 classes: cat (1,081), dog (7)"),
    ({str(k): k for k in range(1, 21)}, "20 classes: 1 (1), 2 (2), 3 (3), 4 (4), 5 (5) and 15 more"),
    ({"cat": 3, "emu": 0}, "2 classes: cat (3), emu (0); no training image of emu"),
    ({"a\tb": 1, "c\nd": 1, " ": 1, "ü\udcff": 1}, r"4 classes: 'a\tb' (1), 'c\nd' (1), ' ' (1), 'ü\udcff' (1)"),
    ({"x" * 99: 1, "猫": 2}, f"2 classes: {'x' * 27}... (1), 猫 (2)"),
]


@pytest.mark.parametrize(("counts", "line"), CLASSES)
def test_the_classes_are_named_on_one_line(counts, line):
    """The first few of many, those that are not learnt, and no name that breaks the line."""
    from zoo.cli.transcript import _classes

    assert _classes(counts) == line


@pytest.mark.parametrize(
    ("counts", "settings", "told"),
    [
        ({"a": 100, "b": 10}, {}, False),
        ({"a": 101, "b": 10}, {}, True),
        ({"a": 101, "b": 10}, {"balance": 0.5}, False),
        ({"a": 50, "b": 40, "c": 0}, {}, False),
    ],
    ids=["ten to one", "more", "balanced", "an empty one"],
)
def test_classes_of_very_different_sizes_are_worth_a_line(counts, settings, told):
    """Above ten to one, unless something is done about it; a class without images has a line of its own."""
    from zoo.cli.transcript import _imbalance

    config = {"criterion": {"name": "torch/cross_entropy"}, "train": {"balance": 0.0, **settings}}
    text = _imbalance({"classes": counts, "config": config})
    assert bool(text) == told
    assert not told or text.startswith("the largest class has 10 times the images of the smallest; --balance 0.5")
