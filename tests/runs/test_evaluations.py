"""Evaluations that are kept: by the run's end and by `zoo.evaluate`, on its own data and others, whatever happens."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from faulty_disk import FaultyDisk
from small_images import MEAN, STD, small_dataset, small_split
from torch import nn

import zoo
from zoo.data import Dataset
from zoo.errors import DamagedError, UsageError, ZooError
from zoo.records.directory import RunDirectory
from zoo.records.lock import RunLock
from zoo.reports.calibration import read_temperature
from zoo.reports.evaluations import evaluation_names, keep_evaluation, read_document, read_evaluation
from zoo.reports.metrics import confusion
from zoo.runs import evaluations as module
from zoo.runs.evaluations import digest_of
from zoo.runs.other_data import MatchedSplit, matched, name_of

SMALL = {"epochs": 2, "batch_size": 16, "threads": 1}


def test_a_run_s_end_keeps_test_and_validation(finished: Path):
    """With the numbers that the run logged, of the checkpoint that was measured."""
    assert evaluation_names(finished) == ["test-best", "validation-best"]
    summary, directory = RunDirectory(finished).read_summary(), RunDirectory(finished)
    test, validation = (read_evaluation(finished, f"{split}-best") for split in ("test", "validation"))
    assert test.outcomes.right.mean() == test.document["metrics"]["accuracy"] == summary["test_accuracy"]
    assert test.document["metrics"]["loss"] == summary["test_loss"]
    assert validation.outcomes.right.mean() == summary["val_accuracy"]
    assert test.document["checkpoint_digest"] == directory.checkpoint("best").manifest.digest
    assert test.document["epoch"] == summary["best_epoch"]


def test_evaluating_again_gives_the_very_same_files(run: Path):
    """To the byte, both the loop's own and those measured from the checkpoint."""
    before = {path.name: path.read_bytes() for path in (run / "evaluations").iterdir()}
    for split in ("test", "validation"):
        found = zoo.evaluate(run, split=split)
        assert found["kept"] == str(run / "evaluations" / f"{split}-best.json")
    assert {path.name: path.read_bytes() for path in (run / "evaluations").iterdir()} == before


def test_predictions_give_evaluate_s_accuracy_and_top5_exactly(run: Path):
    """And the rows of the confusion matrix sum to the labels' counts, its trace to the accuracy."""
    found = zoo.evaluate(run, split="train", checkpoint="last")
    kept = read_evaluation(run, "train-last")
    outcomes = kept.outcomes
    assert outcomes.in_five is not None
    assert (outcomes.right.mean(), outcomes.in_five.mean()) == (found["accuracy"], found["top5_accuracy"])
    matrix = confusion(outcomes.labels, outcomes.predictions, 10)
    assert np.array_equal(matrix.sum(1), np.bincount(outcomes.labels, minlength=10))
    assert matrix.trace() / len(outcomes) == found["accuracy"]


def test_the_pixels_of_a_mistake_are_the_dataset_s(finished: Path):
    """At the place that is told, in the order of the least probable labels."""
    kept = read_evaluation(finished, "validation-best")
    rows, pixels = kept.arrays["worst"], kept.arrays["worst_pixels"]
    assert 0 < len(rows) <= 64
    assert not kept.outcomes.right[rows].any()
    assert (np.diff(kept.outcomes.label_log_probability[rows]) >= 0).all()
    images, labels = zoo.create("datasets", "mnist").train.batch(torch.from_numpy(kept.arrays["places"][rows]))
    assert np.array_equal(images, pixels)
    assert np.array_equal(labels, kept.outcomes.labels[rows])


def test_a_run_that_went_on_after_its_best_epoch_measures_validation_again(tmp_path: Path):
    """What was said in the best epoch is lost with the process, and comes out the same."""

    def linear(num_classes: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(64, num_classes))

    class StopAfter(zoo.Reporter):
        def epoch(self, result, epochs):
            if result.epoch == 2:
                raise KeyboardInterrupt

    def train(out: str, reporter: zoo.Reporter | None = None) -> zoo.Run:
        return zoo.train(
            linear,
            data=small_dataset(),
            epochs=3,
            lr=1e-12,
            batch_size=16,
            threads=1,
            out=tmp_path / out,
            reporter=reporter,
        )

    assert train("whole").summary["best_epoch"] == 1
    with pytest.raises(KeyboardInterrupt):
        train("resumed", StopAfter())
    train("resumed")
    files = [
        (tmp_path / out / "evaluations" / "validation-best.safetensors").read_bytes() for out in ("whole", "resumed")
    ]
    assert files[0] == files[1]


def test_without_validation_only_the_test_is_kept(tmp_path: Path):
    """There is nothing else."""
    zoo.train("linear", options={"data.limit": 64}, validation=0, out=tmp_path / "run", **SMALL)
    assert evaluation_names(tmp_path / "run") == ["test-best"]
    with pytest.raises(UsageError, match="held out no validation images"):
        zoo.calibrate(tmp_path / "run")


def test_restart_removes_what_was_kept(run: Path):
    """An evaluation of weights that are gone would pass for the new run's."""
    zoo.evaluate(run, split="train")
    zoo.train("linear", options={"data.limit": 64}, out=run, restart=True, **SMALL)
    assert evaluation_names(run) == ["test-best", "validation-best"]
    assert read_document(run, "test-best")["samples"] == 64


def test_a_locked_run_is_evaluated_all_the_same(run: Path, caplog: pytest.LogCaptureFixture):
    """With a line that says that nothing was kept, and why."""
    shutil.rmtree(run / "evaluations")
    with RunLock(run):
        found = zoo.evaluate(run)
    assert found["kept"] is None
    assert found["accuracy"] > 0.5
    assert "the predictions are not kept: " in caplog.text
    assert "is being written by process" in caplog.text
    assert not (run / "evaluations").exists()


def test_a_run_that_cannot_be_written_to_is_evaluated_all_the_same(run: Path, caplog: pytest.LogCaptureFixture):
    """A file stands where the folder must be, which refuses also an administrator."""
    shutil.rmtree(run / "evaluations")
    (run / "evaluations").write_text("")
    assert zoo.evaluate(run)["kept"] is None
    assert "the predictions are not kept: FileExistsError" in caplog.text
    with pytest.raises(UsageError, match="cannot be written to, so a temperature cannot be kept"):
        zoo.calibrate(run)


def test_a_run_finishes_though_its_evaluations_cannot_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """They can be made again; the run's result cannot."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    notices: list[str] = []

    class Listening(zoo.Reporter):
        def notice(self, text: str) -> None:
            notices.append(text)

    monkeypatch.setattr("zoo.runs.session.keep_evaluation", full)
    run = zoo.train("linear", options={"data.limit": 64}, out=tmp_path / "run", reporter=Listening(), **SMALL)
    assert run.summary["status"] == "finished"
    assert [notice for notice in notices if "the test predictions are not kept" in notice]


def test_a_write_that_stops_anywhere_leaves_the_old_the_new_or_nothing(run: Path):
    """Never a document beside the tensors of another."""
    directory = RunDirectory(run)
    old = (run / "evaluations" / "test-best.json").read_text()
    found, data = json.loads(old), (run / "evaluations" / "validation-best.safetensors").read_bytes()
    found = {**found, "tensors": {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}}

    class Stopped(Exception):
        pass

    def stop(_: str) -> None:
        raise Stopped

    points = 0
    while True:
        shutil.rmtree(run / "evaluations")
        (run / "evaluations").mkdir()
        keep_evaluation(directory.path, "test-best", {**found, "epoch": 7}, data)
        disk = FaultyDisk(points, stop)
        try:
            keep_evaluation(directory.path, "test-best", {**found, "epoch": 1}, data, disk)
        except Stopped:
            points += 1
            if "test-best" in evaluation_names(run):
                assert read_evaluation(run, "test-best").document["epoch"] in (1, 7)
        else:
            break
    assert points > 10


@pytest.mark.parametrize("file", ["test-best.safetensors", "test-best.json"])
def test_a_damaged_evaluation_is_told_and_how_to_make_it_again(run: Path, file: str):
    """By its digest or because it is no JSON."""
    path = run / "evaluations" / file
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DamagedError, match="is damaged"):
        read_evaluation(run, "test-best")


def test_a_missing_evaluation_says_how_to_make_it(run: Path):
    """With the command to copy."""
    with pytest.raises(
        UsageError, match=r"keeps no evaluation 'train-last'; make it by: zoo evaluate .*--split train --ch"
    ):
        read_evaluation(run, "train-last")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("classes", 3, "misstates 'classes'"),
        ("schema", 99, "was written by a newer zoo"),
        ("samples", 3, "is no evaluation of 3 images"),
        ("classes", ["a"], "is missing or has another shape"),
    ],
)
def test_a_document_that_misstates_something_is_refused(run: Path, key: str, value: object, message: str):
    """Whoever wrote it so."""
    path = run / "evaluations" / "test-best.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(ZooError, match=message):
        read_evaluation(run, "test-best")


def test_other_images_have_another_digest_and_equal_ones_the_same():
    """By pixels, labels and order; by names and sizes where there are such."""
    one, same, other = small_split(20), small_split(20), small_split(20, seed=1)
    assert digest_of(one) == digest_of(same) != digest_of(other)
    named = zoo.TensorImages(one.images, one.labels, names=[f"{k}.png" for k in range(20)], sizes=range(20))
    assert digest_of(named)["known_by"] == "names and sizes"
    listed = json.dumps([named.names, list(range(20)), one.labels.tolist()]).encode("ascii")
    assert digest_of(named)["sha256"] == hashlib.sha256(listed).hexdigest()


def test_reading_from_disk_no_more_pixels_than_fit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The pixels of large images are kept of fewer mistakes."""
    monkeypatch.setattr(module, "_PIXEL_BYTES", 3 * 784)
    zoo.train("linear", options={"data.limit": 200}, out=tmp_path / "run", epochs=1, batch_size=16, threads=1)
    assert len(read_evaluation(tmp_path / "run", "test-best").arrays["worst"]) == 3


def other_dataset(classes: list[str]) -> Dataset:
    return Dataset(
        small_split(12, classes=len(classes)), small_split(9, classes=len(classes), seed=1), classes, [MEAN], [STD]
    )


def test_other_data_are_matched_by_the_names_of_the_classes():
    """In another order, with unknown and missing ones; of both splits or one."""
    images = small_dataset(classes=3).facts
    dataset = other_dataset(["class 2", "new", "class 0"])
    found = matched(dataset, images, "all", "other")
    assert (found.unknown, found.missing, found.split.left_out) == (("new",), ("class 1",), 7)
    assert len(found.split) == 14
    stored, labels = found.split.batch(torch.arange(14))
    row = torch.cat([dataset.train.labels, dataset.test.labels])
    kept = (row != 1).nonzero().squeeze(1)
    assert labels.tolist() == [{0: 2, 2: 0}[label] for label in row[kept].tolist()]
    every = torch.cat([dataset.train.batch(torch.arange(12))[0], dataset.test.batch(torch.arange(9))[0]])
    assert torch.equal(stored, every[kept])
    order = torch.tensor([13, 0, 7])
    assert torch.equal(found.split.batch(order)[0], every[kept[order]])
    assert len(matched(dataset, images, "test", "other").split) == 6


def test_names_and_sizes_pass_through_what_is_matched():
    """So that a mistake can be found again."""
    plain = small_split(6)
    named = zoo.TensorImages(plain.images, plain.labels, names=list("abcdef"), sizes=[1, 2, 3, 4, 5, 6])
    split = MatchedSplit([named], torch.tensor([1, -1, 0]))
    assert (split.names, split.sizes) == (["a", "c", "d", "f"], [1, 3, 4, 6])
    assert MatchedSplit([named, plain], torch.tensor([0, 1, 2])).names is None


@pytest.mark.parametrize("name", ["test", "", "../up", "a.b", "-x"])
def test_other_data_take_no_name_of_a_split_and_none_that_leads_elsewhere(name: str):
    """Their files stand beside those of the run's own."""
    from zoo.config import Choice

    with pytest.raises(UsageError, match="--name must be letters"):
        name_of(Choice("folder/folder"), name)
    assert name_of(Choice("folder/folder", {"root": "some/new set"}), None) == "folder-new_set"


def test_calibrating_writes_a_temperature_that_predict_uses(run: Path, tmp_path: Path):
    """Predictions stay, probabilities change, and another checkpoint's are left alone."""
    from PIL import Image

    images, _ = zoo.create("datasets", "mnist").test.batch(torch.tensor([8]))
    Image.fromarray(images[0, 0].numpy()).save(tmp_path / "digit.png")
    (before,) = zoo.predict(run, [tmp_path / "digit.png"], top_k=10)
    found = zoo.calibrate(run)
    assert found["nll"][1] < found["nll"][0]
    (after,) = zoo.predict(run, [tmp_path / "digit.png"], top_k=10)
    assert after.labels == before.labels
    tempered = np.array(before.probabilities) ** (1 / found["temperature"])
    assert after.probabilities == pytest.approx(tempered / tempered.sum(), rel=1e-3)
    assert read_temperature(run, "0" * 64) is None


def test_calibrating_measures_again_what_was_not_kept(run: Path):
    """With the same result."""
    kept = zoo.calibrate(run)
    shutil.rmtree(run / "evaluations")
    assert zoo.calibrate(run) == kept


def test_a_damaged_calibration_is_told(run: Path):
    """It would silently change every probability."""
    (run / "calibration.json").write_text('{"temperature": -1.0}')
    with pytest.raises(DamagedError, match="holds no temperature"):
        read_temperature(run, "")
