"""A run goes on, and is measured, with the images that it began with: others are refused, and told apart."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from small_images import named_dataset, small_dataset, small_split
from storm import outcome
from zoo_mnist.dataset import mnist

import zoo
from zoo.cli import main
from zoo.errors import Interrupted
from zoo.runs.reporting import Reporter


class Stopping(Reporter):
    """Asks the run to stop after a few steps, and keeps what it tells."""

    def __init__(self, step: int | None = 2) -> None:
        self.at_step, self.notices = step, list[str]()

    def step(self, progress: Any) -> None:
        if progress.step == self.at_step:
            os.kill(os.getpid(), signal.SIGTERM)

    def notice(self, text: str) -> None:
        self.notices.append(text)


def begin(out: Path, data: Any, **options: Any) -> Path:
    """Begin a run that is stopped after two steps."""
    with pytest.raises(Interrupted, match="and saved"):
        zoo.train("linear", data=data, out=out, reporter=Stopping(), **_settings(options))
    return out


def repeated(out: Path, data: Any, **options: Any) -> zoo.Run:
    """Give the same command again."""
    return zoo.train("linear", data=data, out=out, **_settings(options))


def _settings(options: dict[str, Any]) -> dict[str, Any]:
    return {"epochs": 2, "batch_size": 8, "threads": 1, "options": {f"data.{key}": options[key] for key in options}}


@pytest.fixture
def farm(tmp_path: Path) -> Path:
    """Two classes in two splits, each image with a file size of its own."""
    for split, count in (("train", 12), ("test", 4)):
        for name in ("ant", "cow"):
            for index in range(count):
                picture(tmp_path / "farm" / split / name / f"{index:03}.bmp", 8 + index, name == "cow")
    return tmp_path / "farm"


def picture(path: Path, height: int, white: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (8, height), 255 * white).save(path)


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "added": (
        lambda farm: picture(farm / "train/ant/new.bmp", 99, white=True),
        r"training images: 1 added \('train/ant/new.bmp'\)",
    ),
    "removed": (
        lambda farm: (farm / "test/cow/003.bmp").unlink(),
        r"test images: 1 removed \('test/cow/003.bmp'\)",
    ),
    "renamed": (
        lambda farm: (farm / "train/ant/001.bmp").rename(farm / "train/ant/zzz.bmp"),
        r"1 added \('train/ant/zzz.bmp'\), 1 removed \('train/ant/001.bmp'\)",
    ),
    "changed": (
        lambda farm: picture(farm / "train/cow/004.bmp", 40, white=False),
        r"training images: 1 changed \('train/cow/004.bmp' from \d+ to \d+ bytes\)",
    ),
    "of another class": (
        lambda farm: (farm / "train/ant/000.bmp").rename(farm / "train/cow/900.bmp"),
        r"1 added \('train/cow/900.bmp'\), 1 removed \('train/ant/000.bmp'\)",
    ),
    "a class renamed": (
        lambda farm: [(farm / split / "ant").rename(farm / split / "zebu") for split in ("train", "test")],
        "classes was ant, cow and is cow, zebu",
    ),
    "moved to the test set": (
        lambda farm: (farm / "train/ant/000.bmp").rename(farm / "test/ant/900.bmp"),
        r"training images: 1 removed .*; test images: 1 added \('test/ant/900.bmp'\)",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_folder_that_changed_is_refused_by_its_files_names(farm: Path, tmp_path: Path, change: str):
    """By --resume and by the same command alike; put back as it was, the run goes on."""
    out = begin(tmp_path / "run", "folder", root=str(farm), size=8)
    shutil.copytree(farm, tmp_path / "kept")
    mutate, told = CHANGES[change]
    mutate(farm)
    before = {path: path.read_bytes() for path in out.rglob("*.*") if path.is_file()}
    with pytest.raises(zoo.UsageError, match=told) as refused:
        zoo.train(resume=out)
    assert str(refused.value).startswith(f"the images are not those that {out} began with: ")
    with pytest.raises(zoo.UsageError, match=told):
        repeated(out, "folder", root=str(farm), size=8)
    assert before == {path: path.read_bytes() for path in out.rglob("*.*") if path.is_file()}
    shutil.rmtree(farm)
    (tmp_path / "kept").rename(farm)
    assert zoo.train(resume=out).summary["status"] == "finished"


def test_images_that_were_touched_alone_are_the_same(farm: Path, tmp_path: Path):
    """Times, and the order in which a file system lists its files, play no part; the bits are an untouched run's."""
    whole = repeated(tmp_path / "whole", "folder", root=str(farm), size=8)
    out = begin(tmp_path / "run", "folder", root=str(farm), size=8)
    for path in sorted(farm.rglob("*.bmp"), reverse=True):
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(data)
    assert outcome(zoo.train(resume=out).directory) == outcome(whole.directory)


def test_mnist_from_another_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """One pixel of 60,000 images is enough."""
    out = begin(tmp_path / "run", "mnist", limit=64)

    def other() -> zoo.Dataset:
        data = mnist()
        data.train.images[59_999, 0, 0, 0] ^= 1
        return data

    monkeypatch.setattr("zoo_mnist.dataset.mnist", other)
    with pytest.raises(zoo.UsageError, match="began with: training images: other pixels"):
        zoo.train(resume=out)
    assert zoo.evaluate(out, checkpoint="last")["samples"] == 64  # whose test images are the same
    with pytest.raises(zoo.UsageError, match="was trained on: training images: other pixels"):
        zoo.evaluate(out, checkpoint="last", split="validation")


TENSORS: dict[str, tuple[Callable[[zoo.Dataset], zoo.Dataset], str]] = {
    "an image fewer": (
        lambda data: replace(data, train=small_split(59)),
        r"were 60 and are 59 \('class 2' from 20 to 19",
    ),
    "other pixels": (lambda data: replace(data, test=small_split(20, seed=5)), "test images: other pixels"),
    "other labels": (
        lambda data: replace(data, train=zoo.TensorImages(data.train.images, data.train.labels.flip(0))),
        "training images: other labels",
    ),
    "another class": (lambda data: replace(data, classes=["class 0", "class 1", "emu"]), "is class 0, class 1, emu"),
    "another mean": (lambda data: replace(data, mean=[0.50001]), r"mean was 0\.5 and is 0\.50001"),
}


@pytest.mark.parametrize("change", TENSORS)
def test_other_tensors_from_python_are_refused(tmp_path: Path, change: str):
    """The same call with other data is not the same run."""
    out = begin(tmp_path / "run", small_dataset())
    mutate, told = TENSORS[change]
    with pytest.raises(zoo.UsageError, match=told):
        repeated(out, mutate(small_dataset()))
    assert repeated(out, small_dataset()).summary["status"] == "finished"


def test_named_tensors_are_told_by_their_names(tmp_path: Path):
    """As files are."""
    out = begin(tmp_path / "run", named_dataset())
    with pytest.raises(zoo.UsageError, match=r"training images: 1 added \('train/060.png'\)"):
        repeated(out, replace(named_dataset(), train=named_dataset(61).train))


def test_a_test_set_that_changed_is_not_measured(farm: Path, tmp_path: Path):
    """The line names the file; where only training images changed the test images are what they were."""
    run = repeated(tmp_path / "run", "folder", root=str(farm), size=8)
    picture(farm / "train/ant/new.bmp", 99, white=True)
    assert zoo.evaluate(run)["accuracy"] == run.test_accuracy
    with pytest.raises(zoo.UsageError, match=r"training images: 1 added \('train/ant/new.bmp'\)"):
        zoo.evaluate(run, split="train")
    picture(farm / "test/ant/new.bmp", 99, white=True)
    with pytest.raises(zoo.UsageError, match=r"was trained on: test images: 1 added \('test/ant/new.bmp'\)"):
        zoo.evaluate(run)


def old(out: Path) -> Path:
    """Make a run one that was begun before there was a record of its images."""
    for name in ("data.json", "files.json.gz"):
        (out / name).unlink(missing_ok=True)
    return out


def test_a_run_without_the_record_goes_on_with_a_line(farm: Path, tmp_path: Path):
    """Its checkpoint knows the classes and channels, and those are compared; files are not decoded for it."""
    out = old(begin(tmp_path / "run", "folder", root=str(farm), size=8))
    (farm / "train/ant").rename(farm / "train/zebu")
    (farm / "test/ant").rename(farm / "test/zebu")
    with pytest.raises(zoo.UsageError, match="classes was ant, cow and is cow, zebu"):
        zoo.train(resume=out)
    (farm / "train/zebu").rename(farm / "train/ant")
    (farm / "test/zebu").rename(farm / "test/ant")
    listening = Stopping(None)
    zoo.train(resume=out, reporter=listening)
    assert [
        text
        for text in listening.notices
        if "has no record of its images in data.json: only the classes and channels were compared" in text
    ]


def test_a_run_that_never_saved_has_nothing_to_compare(farm: Path, tmp_path: Path):
    """It begins again, in silence."""
    out = old(begin(tmp_path / "run", "folder", root=str(farm), size=8))
    shutil.rmtree(out / "checkpoints")
    listening = Stopping(None)
    zoo.train(resume=out, reporter=listening)
    assert listening.notices == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("data.json", b"{"),
        ("data.json", b'{"schema": 2}'),
        ("data.json", b'{"schema": 1, "images": {}}'),
        ("data.json", b"[]"),
    ],
)
def test_a_damaged_record_costs_a_line(farm: Path, tmp_path: Path, name: str, content: bytes):
    """The checkpoint's facts stand in for it."""
    out = begin(tmp_path / "run", "folder", root=str(farm), size=8)
    (out / name).write_bytes(content)
    listening = Stopping(None)
    zoo.train(resume=out, reporter=listening)
    assert any("data.json" in text and "going on without it" in text for text in listening.notices)


@pytest.mark.parametrize(
    "content",
    [
        b"no gzip",
        gzip.compress(b"[]"),
        gzip.compress(b"{")[:-9],
        gzip.compress(json.dumps({"train": {"names": ["a"], "labels": [7], "sizes": [1]}}).encode()),
        gzip.compress(json.dumps({"train": {"names": ["a"], "labels": [], "sizes": [1]}}).encode()),
        gzip.compress(b" " * (33 * 2**20)),
    ],
    ids=["no gzip", "a list", "cut short", "a label too high", "a label too few", "a bomb"],
)
def test_a_damaged_listing_costs_the_names(farm: Path, tmp_path: Path, content: bytes):
    """That the files are others is known without it."""
    out = begin(tmp_path / "run", "folder", root=str(farm), size=8)
    (out / "files.json.gz").write_bytes(content)
    picture(farm / "test/cow/003.bmp", 77, white=True)
    listening = Stopping(None)
    with pytest.raises(zoo.UsageError, match="test images: other names and sizes"):
        zoo.train(resume=out, reporter=listening)
    assert any("files.json.gz" in text for text in listening.notices)


def test_names_beyond_measure_are_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Other files are refused all the same."""
    monkeypatch.setattr("zoo.records.images._MAX_FILES", 100)
    out = begin(tmp_path / "run", named_dataset())
    assert not (out / "files.json.gz").exists()
    with pytest.raises(zoo.UsageError, match=r"were 60 and are 61"):
        repeated(out, replace(named_dataset(), train=named_dataset(61).train))


def test_a_run_that_was_killed_before_its_configuration_was_written_begins_anew(tmp_path: Path):
    """What it left is no obstacle to the same command; a stranger's file of that name is."""
    out = begin(tmp_path / "run", named_dataset())
    for path in out.iterdir():
        if path.name not in ("environment.json", "data.json", "files.json.gz"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert repeated(out, named_dataset()).summary["status"] == "finished"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "data.json").write_text("{}")
    with pytest.raises(zoo.UsageError, match="holds something else than a run"):
        repeated(tmp_path / "other", named_dataset())


def test_restart_forgets_what_the_images_were(tmp_path: Path):
    """The new run keeps its own."""
    out = begin(tmp_path / "run", named_dataset())
    with pytest.raises(Interrupted):
        zoo.train("linear", data=small_dataset(), out=out, restart=True, reporter=Stopping(), **_settings({}))
    assert not (out / "files.json.gz").exists()
    assert json.loads((out / "data.json").read_text())["splits"]["train"]["known_by"] == "pixels"
    assert repeated(out, small_dataset()).summary["status"] == "finished"


def test_a_run_goes_on_where_its_images_have_moved(farm: Path, tmp_path: Path):
    """Once they are told to be the same; the record keeps the new place, and the bits are those of one that stayed."""
    whole = repeated(tmp_path / "whole", "folder", root=str(farm), size=8)
    out = begin(tmp_path / "run", "folder", root=str(farm), size=8)
    moved = farm.rename(tmp_path / "2024")
    with pytest.raises(zoo.UsageError, match=r"--set data\.root=DIR tells where they are now"):
        zoo.train(resume=out)
    with pytest.raises(Interrupted):
        zoo.train(resume=out, options={"data.root": moved}, reporter=Stopping(4))
    assert outcome(zoo.train(resume=out).directory) == outcome(whole.directory)
    assert tomllib.loads((out / "config.toml").read_text())["data"]["root"] == str(moved)
    (moved / "test/ant/000.bmp").unlink()
    with pytest.raises(zoo.UsageError, match=r"1 removed \('test/ant/000.bmp'\)"):
        zoo.evaluate(out)


def test_other_images_in_the_new_place_are_refused_and_not_recorded(farm: Path, tmp_path: Path):
    """The run stays as it was."""
    out = begin(tmp_path / "run", "folder", root=str(farm), size=8)
    shutil.copytree(farm, tmp_path / "other")
    picture(tmp_path / "other/train/ant/new.bmp", 99, white=True)
    before = (out / "config.toml").read_bytes()
    with pytest.raises(zoo.UsageError, match="1 added"):
        zoo.train(resume=out, options={"data.root": str(tmp_path / "other")})
    assert (out / "config.toml").read_bytes() == before


def test_a_run_is_measured_where_its_images_have_moved(farm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """For this call alone; a relative folder is one of the working directory."""
    run = repeated(tmp_path / "run", "folder", root=str(farm), size=8)
    farm.rename(tmp_path / "2024")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(zoo.UsageError, match=r"--set data\.root=DIR tells where they are now"):
        zoo.evaluate(run)
    assert zoo.evaluate(run, options={"data.root": "2024"})["accuracy"] == run.test_accuracy
    assert main(["evaluate", "run", "--set", "data.root=2024"]) == 0
    with pytest.raises(zoo.UsageError, match="tells where they are now"):
        zoo.evaluate(run)


def test_a_table_s_folder_of_images_may_move_as_well(
    farm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Alone or with the table; an older run may have recorded it as it was typed."""
    lines = [f"{file.relative_to(farm)},{file.parts[-2]},{file.parts[-3]}" for file in sorted(farm.rglob("*.bmp"))]
    (tmp_path / "t.csv").write_text("\n".join(["file,label,split", *lines]))
    monkeypatch.chdir(tmp_path)
    out = begin(tmp_path / "run", "table", root="t.csv", images="farm", size=8)
    config = (out / "config.toml").read_text()
    assert f'images = "{farm}"' in config
    (out / "config.toml").write_text(config.replace(f'images = "{farm}"', 'images = "farm"'))
    with pytest.raises(Interrupted):
        zoo.train("linear", data="table", out=out, reporter=Stopping(4), **_settings(_PLACED))
    farm.rename(tmp_path / "moved")
    moved = str(tmp_path / "moved")
    with pytest.raises(zoo.DamagedError, match=r"If the images have moved, --set data\.images=DIR tells where"):
        zoo.train(resume=out)
    with pytest.raises(zoo.UsageError, match=rf"have moved: --resume {out} --set data.images=DIR\.$"):
        repeated(out, "table", **{**_PLACED, "images": moved})
    run = zoo.train(resume=out, options={"data.images": "moved"})
    assert run.summary["status"] == "finished"
    assert tomllib.loads((out / "config.toml").read_text())["data"]["images"] == moved
    (tmp_path / "moved").rename(tmp_path / "again")
    (tmp_path / "t.csv").rename(tmp_path / "again.csv")
    places = {"data.root": "again.csv", "data.images": "again"}
    assert zoo.evaluate(run, options=places)["accuracy"] == run.test_accuracy
    assert main(["evaluate", "run", "--set", "data.size=3"]) == 2
    assert "of its options data.root and data.images alone may be given" in capsys.readouterr().err


def test_what_was_not_recorded_is_no_place_to_move(
    farm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """A table whose pictures lie beside it has no other folder; another dataset's option may be called images, too."""
    lines = [f"{file.relative_to(farm)},{file.parts[-2]},{file.parts[-3]}" for file in sorted(farm.rglob("*.bmp"))]
    (farm / "t.csv").write_text("\n".join(["file,label,split", *lines]))
    out = begin(tmp_path / "run", "table", root=str(farm / "t.csv"), size=8)
    with pytest.raises(zoo.UsageError, match=r"or --restart to remove that run and begin anew\.$"):
        repeated(out, "table", root=str(farm / "t.csv"), images=str(farm), size=8)
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--resume", "run", "--set", "data.images=farm"]) == 2
    assert "of its options data.root alone may be given, not 'data.images'" in capsys.readouterr().err


_PLACED = {"root": "t.csv", "images": "farm", "size": 8}


@pytest.mark.parametrize(
    "words",
    [
        ["train", "--resume", "run", "--set", "data.size=9"],
        ["train", "--resume", "run", "--set", "model.p=0.4"],
        ["evaluate", "run", "--set", "data.limit=3"],
    ],
)
def test_nothing_else_of_a_run_may_be_another(
    farm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], capsys: pytest.CaptureFixture[str]
):
    """Its settings are what it is."""
    begin(tmp_path / "run", "folder", root=str(farm), size=8)
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    key = words[-1].partition("=")[0]
    assert f"of its options data.root alone may be given, not {key!r}" in capsys.readouterr().err


def test_a_dataset_without_a_root_cannot_move(tmp_path: Path):
    """MNIST is in the package."""
    out = begin(tmp_path / "run", "mnist", limit=64)
    with pytest.raises(zoo.UsageError, match=r"no option of .* named 'root'"):
        zoo.train(resume=out, options={"data.root": str(tmp_path)})


def test_the_same_command_with_another_root_is_told_what_to_do(farm: Path, tmp_path: Path):
    """It may mean other images, so it is not taken for granted that they are the run's."""
    out = begin(tmp_path / "run", "folder", root=str(farm), size=8)
    moved = farm.rename(tmp_path / "2024")
    with pytest.raises(zoo.UsageError, match=rf"if its images have moved: --resume {out} --set data.root=DIR"):
        repeated(out, "folder", root=str(moved), size=8)
