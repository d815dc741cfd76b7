"""Training on images that are read from their files: the same run, bit for bit, as with all of them in memory."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal

import pytest
import torch
from small_photos import photographs, reading_threads
from storm import storm, uninterrupted
from worlds import together

import zoo
from zoo.registry import entries
from zoo.runs.reporting import Reporter

AUGMENTATIONS = sorted(entry.name for entry in entries() if entry.kind == "augmentations" and entry.own)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return photographs(tmp_path_factory.mktemp("photographs"))


def trained(root, out, *, stream: bool, readers: int | None = None, reporter=None, **settings) -> zoo.Run:
    options = {"data.root": str(root), "data.stream": stream, "data.size": [12, 12], **settings.pop("options", {})}
    given = {"epochs": 2, "batch_size": 4, "validation": 0.2, "device": "cpu", "threads": 1, "readers": readers}
    return zoo.train("mlp", data="folder", options=options, out=out, reporter=reporter, **{**given, **settings})


def assert_equal(one: zoo.Run, other: zoo.Run) -> None:
    """Weights and all metrics, but for times, have equal bits."""
    for name, tensor in one.model.state_dict().items():
        assert torch.equal(tensor, other.model.state_dict()[name]), name
    for mine, others in zip(one.metrics, other.metrics, strict=True):
        assert (mine.loss, mine.val_loss, mine.val_accuracy) == (others.loss, others.val_loss, others.val_accuracy)
    assert one.summary["test_loss"] == other.summary["test_loss"]


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_every_augmentation_has_equal_bits_in_memory_and_streamed(root, tmp_path, augmentation):
    """Mixing ones, too, whose partners are the same samples either way."""
    memory, streamed = (
        trained(root, tmp_path / str(stream), stream=stream, readers=2, augment=[augmentation])
        for stream in (False, True)
    )
    kept = "streamed" if augmentation == "crop" else "decoded"  # what is cut from files stays in them
    assert (memory.summary["storage"], streamed.summary["storage"]) == (kept, "streamed")
    assert_equal(memory, streamed)
    assert reading_threads() == []


def test_any_number_of_readers_trains_alike(root, tmp_path):
    """None, one, two or five: the same weights, with gradients that accumulate and partners of partners."""
    settings = {"augment": ["mixup", "cutmix"], "accumulate": 2}
    runs = [trained(root, tmp_path / str(n), stream=True, readers=n, **settings) for n in (0, 1, 2, 5)]
    for run in runs[1:]:
        assert_equal(runs[0], run)


def test_classes_that_are_shown_more_often_are_mixed_alike(root, tmp_path):
    """An image that an epoch visits twice has two places in the order, and each its own partner."""
    settings = {"augment": ["shift", "mixup"], "balance": 1.0}
    memory, streamed, again = (trained(root, tmp_path / str(n), stream=n > 0, readers=n, **settings) for n in range(3))
    assert_equal(memory, streamed)
    assert_equal(memory, again)


def recorded(run: zoo.Run) -> str:
    return str(run.config.train.crop_from)


def test_crops_are_cut_from_files_where_they_come_first(root, tmp_path):
    """Recorded, and other bits than those of inputs, which may be chosen; then images may be in memory."""
    crops = {"augment": ["crop"], "epochs": 1}
    cut = trained(root, tmp_path / "cut", stream=False, **crops)
    inputs = [trained(root, tmp_path / f"{s}", stream=s, crop_from="input", **crops) for s in (False, True)]
    assert [recorded(run) for run in (cut, *inputs)] == ["file", "input", "input"]
    assert [run.summary["storage"] for run in inputs] == ["decoded", "streamed"]
    assert_equal(*inputs)
    assert cut.summary["test_loss"] != inputs[0].summary["test_loss"]


def test_mixed_crops_are_the_same_for_any_readers_and_from_any_step_on(root, tmp_path):
    """A partner is cut as it is in its own place, with classes shown more often, and read again after a stop."""
    settings = {"augment": ["crop", "cutmix", "mixup"], "balance": 1.0, "epochs": 1}
    whole = trained(root, tmp_path / "whole", stream=True, readers=0, **settings)
    with pytest.raises(zoo.ZooError, match="and saved"):
        trained(root, tmp_path / "run", stream=True, readers=5, reporter=Stopping(4), **settings)
    assert_equal(whole, trained(root, tmp_path / "run", stream=False, readers=2, **settings))


def test_a_run_of_the_last_schema_goes_on_with_crops_of_inputs(root, tmp_path):
    """What its configuration does not say is what was done when it was begun."""
    old = {"augment": ["crop"], "crop_from": "input", "epochs": 1}
    whole = trained(root, tmp_path / "whole", stream=False, **old)
    with pytest.raises(zoo.ZooError, match="and saved"):
        trained(root, tmp_path / "run", stream=False, reporter=Stopping(3), **old)
    config = tmp_path / "run" / "config.toml"
    lines = config.read_text().replace("schema = 4", "schema = 2").splitlines(keepends=True)
    config.write_text("".join(line for line in lines if not line.startswith("crop_from")))
    gone_on = zoo.train(resume=tmp_path / "run")
    assert recorded(gone_on) == "input"
    assert_equal(whole, gone_on)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"augment": ["flip", "crop"]}, "the first augmentation is none that takes parts of images, as crop does"),
        ({}, "the first augmentation is none that takes parts of images, as crop does"),
        ({"augment": ["crop"], "data": "mnist"}, "the images of mnist/mnist are not encoded"),
    ],
)
def test_what_cannot_be_cut_from_files_is_told(tmp_path, given, reason):
    """In a line, before the images are decoded, and no run is begun."""
    with pytest.raises(zoo.UsageError, match=rf"^--crop-from file cannot be: {reason}; leave it out$"):
        zoo.train("mlp", out=tmp_path / "run", crop_from="file", epochs=1, device="cpu", **given)
    assert not (tmp_path / "run").exists()


class Stopping(Reporter):
    """Sends this process a signal after some step."""

    def __init__(self, step: int):
        self.at = step

    def step(self, progress):
        if progress.step == self.at:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("step", [1, 3, 6, 9])
def test_a_run_goes_on_at_any_step_and_otherwise_stored(root, tmp_path, step):
    """Stopped while streaming, gone on with in memory and another number of readers: an uninterrupted run's bits."""
    settings = {"augment": ["mixup"]}
    whole = trained(root, tmp_path / "whole", stream=True, readers=2, **settings)
    with pytest.raises(zoo.ZooError, match="and saved"):
        trained(root, tmp_path / "run", stream=True, readers=2, reporter=Stopping(step), **settings)
    assert reading_threads() == []
    assert_equal(whole, trained(root, tmp_path / "run", stream=bool(step % 2), readers=1, **settings))


class Removing(Reporter):
    """Takes a file away after some step."""

    def __init__(self, path, step: int):
        self.path, self.at = path, step

    def step(self, progress):
        if progress.step == self.at:
            self.path.rename(self.path.with_name("elsewhere"))


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_file_that_vanishes_stops_the_run_saved_and_named(tmp_path, split, accumulate):
    """Exit code 4; once the file is back, the run ends with the bits of one that was never stopped."""
    root = photographs(tmp_path / "photographs")
    whole = trained(root, tmp_path / "whole", stream=True, accumulate=accumulate)
    path = root / split / "gull" / "001.jpg"
    with pytest.raises(zoo.DamagedError, match=r"No such file") as caught:
        trained(root, tmp_path / "run", stream=True, accumulate=accumulate, reporter=Removing(path, 2))
    assert caught.value.exit_code == 4
    assert repr(str(path)) in str(caught.value)
    assert f"zoo train --resume {tmp_path / 'run'}" in str(caught.value)
    assert (tmp_path / "run" / "checkpoints").is_dir()
    assert reading_threads() == []
    path.with_name("elsewhere").rename(path)
    assert_equal(whole, zoo.train(resume=tmp_path / "run"))


def test_the_command_tells_where_images_are(root, tmp_path):
    """A line of the transcript says it, and the process ends at once, with no thread to wait for."""
    command = ["train", "--model", "mlp", "--data", "folder", "--epochs", "1", "--threads", "1", "--readers", "2"]
    command += ["--set", f"data.root={root}", "--set", "data.size=20"]
    for stream, line in (
        ("true", " by 2 threads, ahead of the steps, as they are wanted"),
        ("false", ", all in memory"),
    ):
        (ended,) = together(1, [*command, "--set", f"data.stream={stream}", "--out", stream], cwd=tmp_path)
        assert ended.code == 0, ended
        assert f"images decoded to 20 x 20{line}" in ended.out


def test_the_model_is_asked_for_its_size_before_anything_is_decoded(root, tmp_path):
    """Images are resized once, to what the model takes, and recorded in that size."""

    def picky(num_classes: int, in_channels: int, image_size: tuple[int, int]) -> torch.nn.Module:
        model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(in_channels * 16 * 16, num_classes))
        model.input_size = (16, 16)
        return model

    class Listening(Reporter):
        def started(self, run, progress):
            self.run = run

    heard = Listening()
    zoo.train(
        picky,
        data="folder",
        options={"data.root": str(root)},
        epochs=1,
        batch_size=8,
        out=tmp_path / "run",
        reporter=heard,
        device="cpu",
    )
    assert heard.run["image_size"] == (16, 16)
    assert heard.run["input_size"] is None


def test_a_dataset_s_own_validation_images_are_taken_unless_others_are_asked_for(tmp_path):
    """They are measured after every epoch and recorded; ``--validation`` holds out training images in their place."""
    root = photographs(tmp_path / "photographs")
    shutil.copytree(root / "test", root / "val")
    for path in (root / "val").rglob("*.*"):
        path.rename(path.with_name(f"val_{path.name}"))
    for validation, counts in ((None, (30, 9)), (0.5, (15, 15))):
        run = trained(root, tmp_path / str(validation), stream=True, validation=validation, split_by="class", epochs=1)
        assert (run.summary["train"], run.summary["validation"]) == counts
        known = json.loads((run.directory / "data.json").read_bytes())["splits"]
        assert sum(known["validation"]["counts"]) == 9
        measured = zoo.evaluate(run, split="validation")
        assert measured["samples"] == counts[1]


@pytest.mark.slow
def test_a_storm_of_kills_loses_nothing_of_a_streamed_run(tmp_path):
    """Killed twenty times at any instant, with parts, partners and readers ahead: an uninterrupted run's bits."""
    photographs(tmp_path / "photos", train=120, test=9)
    command = shlex.split(
        "train --model mlp --data folder --set data.root=photos --set data.stream=true --set data.size=12 --readers 2 "
        "--augment crop --augment mixup --epochs 4 --batch-size 4 --threads 1 --seed 5 --device cpu "
        "--checkpoint-every 3steps --no-report"
    )
    whole, seconds = uninterrupted(tmp_path, command)
    assert 'crop_from = "file"' in (tmp_path / "whole" / "config.toml").read_text()
    assert storm(tmp_path, 20, seconds, 1, command) == whole
