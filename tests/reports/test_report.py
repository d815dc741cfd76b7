"""The page of a run: what it tells, that it asks nothing of anybody, and that equal runs give equal bytes."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from kept_runs import always, small_run
from PIL import Image
from small_images import MEAN, STD, small_split

import zoo
from zoo.cli import main
from zoo.data import Dataset
from zoo.errors import DamagedError, UsageError
from zoo.records.lock import RunLock
from zoo.reports.evaluations import read_evaluation
from zoo.reports.story import story_of

EVIL = "<img src=x onerror=alert(1)>"


def test_a_run_s_end_leaves_its_page(finished: Path):
    """And its numbers beside it, at most 400 KB."""
    assert (finished / "report.html").stat().st_size < 400_000
    assert json.loads((finished / "report.json").read_text())["status"] == "finished"


def test_the_page_is_written_again_with_equal_bytes(run: Path):
    """By the command, in a process that never imports torch, in under a second of its own time."""
    before = [(run / name).read_bytes() for name in ("report.html", "report.json")]
    for name in ("report.html", "report.json"):
        (run / name).unlink()
    code = (
        "import sys, time; from zoo.cli import main; code = main(['report', sys.argv[1]]);"
        "print(code, 'torch' in sys.modules, time.process_time() < 1)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(run)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [str(run / "report.html"), "0 False True"]
    assert [(run / name).read_bytes() for name in ("report.html", "report.json")] == before


def test_the_settings_told_are_those_that_were_asked_for(run: Path):
    """What zoo chose by itself is no difference to the defaults, until it is another choice."""
    keys = ["train.epochs", "train.batch_size", "data.limit"]
    assert [each["key"] for each in story_of(run).document["settings"]] == keys
    text = (run / "config.toml").read_text()
    assert 'order = "table"' in text
    (run / "config.toml").write_text(text.replace('order = "table"', 'order = "keyed"'))
    assert [each["key"] for each in story_of(run).document["settings"]] == [*keys[:2], "train.order", keys[2]]


def test_the_numbers_are_the_run_s(run: Path):
    """Accuracy, rows of the matrix, and the classes, the weakest first."""
    document = json.loads((run / "report.json").read_text())
    summary = json.loads((run / "summary.json").read_text())
    assert document["headline"]["accuracy"] == summary["test_accuracy"]
    counts = np.array(document["matrix"]["counts"])
    kept = read_evaluation(run, "test-best")
    assert np.array_equal(counts.sum(1), np.bincount(kept.outcomes.labels, minlength=10))
    assert counts.trace() / counts.sum() == summary["test_accuracy"]
    recalls = [row["recall"] for row in document["classes"]]
    assert recalls == sorted(recalls)
    pair = document["confused"][0]
    wrong = counts - np.diag(counts.diagonal())
    assert pair["images"] == wrong.max() == counts[int(pair["actual"]), int(pair["predicted"])]
    assert [row["epoch"] for row in document["epochs"]] == [1, 2]


def test_each_shown_mistake_is_the_dataset_s_image(run: Path):
    """Pixel for pixel, with the label that it has there."""
    document, page = json.loads((run / "report.json").read_text()), (run / "report.html").read_text()
    pictures = re.findall(r'<img src="data:image/png;base64,([^"]+)"', page)
    assert len(pictures) == len(document["mistakes"]) == 24
    test = zoo.create("datasets", "mnist").test
    for picture, mistake in zip(pictures, document["mistakes"], strict=True):
        images, labels = test.batch(torch.tensor([mistake["place"]]))
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(picture)))), images[0, 0])
        assert mistake["label"] == str(int(labels)) != mistake["prediction"]


def test_the_page_names_nothing_outside_itself(run: Path):
    """Its policy forbids it, too, and allows just its own style and script, which is small."""
    page = (run / "report.html").read_text()
    assert not re.findall(r"(?:src|href)=\"(?!data:)", page)
    assert "url(" not in page
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(script) < 8000
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert "default-src 'none'; img-src data:; style-src 'sha256-" in page
    assert f"script-src 'sha256-{digest}'" in page


def test_names_are_text_wherever_they_stand(tmp_path: Path):
    """Whatever a class, a run or an option is called."""
    run = small_run(tmp_path / "a<b>&c", classes=[EVIL, "</script>", "x" * 300], epochs=1, lr=1e-6)
    page = (run.directory / "report.html").read_text()
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert page.count("</script>") == 1
    assert "<b>&c" not in page


def test_a_model_that_always_says_one_class_fills_its_column(tmp_path: Path):
    """And no other."""
    run = small_run(tmp_path / "run", epochs=1)
    told = zoo.train(
        lambda num_classes: always(1, num_classes),
        data=zoo.create("datasets", "mnist"),
        options={},
        steps=1,
        batch_size=16,
        threads=1,
        out=tmp_path / "doctored",
    )
    counts = np.array(story_of(told.directory).document["matrix"]["counts"])
    assert counts[:, 1].sum() == counts.sum() == 10_000
    assert counts.trace() / 10_000 == told.test_accuracy
    assert story_of(run.directory).document["matrix"]["classes"] == ["ant", "bee", "cat"]


def test_above_twenty_classes_the_pairs_stand_alone(tmp_path: Path):
    """A matrix of so many could not be read."""
    run = small_run(tmp_path / "run", classes=[f"class {k}" for k in range(21)], epochs=1)
    document = story_of(run.directory).document
    assert document["matrix"] is None
    assert document["confused"]
    assert "Confusion matrix" not in (run.directory / "report.html").read_text()


def test_a_run_that_goes_on_shows_its_curves_so_far(run: Path):
    """While another process holds it."""
    for name in ("evaluations", "checkpoints"):
        shutil.rmtree(run / name)
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(json.dumps({**summary, "status": "running", "test_accuracy": None}))
    with RunLock(run):
        page = zoo.report(run).read_text()
    assert "validation accuracy so far" in page
    assert "Loss by epoch" in page
    assert "Worst mistakes" not in page


def test_a_run_without_evaluations_says_how_to_make_them(run: Path):
    """The page stands all the same."""
    shutil.rmtree(run / "evaluations")
    page = zoo.report(run).read_text()
    assert "This run keeps no evaluation" in page
    assert "makes it." in page


def test_an_evaluation_of_another_checkpoint_is_told(run: Path):
    """As after a run was trained again in its place."""
    path = run / "evaluations" / "test-best.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "checkpoint_digest": "0" * 64}))
    assert "of another checkpoint than the run now has" in zoo.report(run).read_text()


def test_a_run_before_its_first_epoch_has_a_page(run: Path):
    """With nothing but its settings."""
    for name in ("evaluations", "checkpoints"):
        shutil.rmtree(run / name)
    (run / "metrics.csv").unlink()
    (run / "summary.json").unlink()
    assert "No epoch is finished yet." in zoo.report(run).read_text()


BAD = {
    "no run": (lambda run: run / "none", 2, "there is no run"),
    "damaged metrics": (lambda run: (run / "metrics.csv").write_text("epoch,loss\n1,abc\n") and run, 4, "is damaged"),
    "damaged evaluation": (
        lambda run: (run / "evaluations" / "test-best.safetensors").write_bytes(b"x") and run,
        4,
        "make it by: zoo evaluate",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_costs_a_line(case: str, run: Path, capsys: pytest.CaptureFixture[str]):
    """With the exit code of its kind."""
    spoil, code, message = BAD[case]
    assert main(["report", str(spoil(run))]) == code
    err = capsys.readouterr().err
    assert message in err
    assert len(err.splitlines()) <= 2


def test_the_page_goes_elsewhere_where_one_says_so(run: Path, tmp_path: Path):
    """With its numbers beside it."""
    page = zoo.report(run, tmp_path / "page.html")
    assert page.read_bytes() == (run / "report.html").read_bytes()
    assert (tmp_path / "page.json").exists()
    with pytest.raises(UsageError, match=r"give a file such as report\.html"):
        zoo.report(run, tmp_path)
    with pytest.raises(UsageError, match="cannot write"):
        zoo.report(run, tmp_path / "none" / "page.html")


def test_a_kill_while_writing_leaves_the_old_page_or_the_new(run: Path):
    """At whatever moment."""
    old = (run / "report.html").read_bytes()
    settings = (run / "config.toml").read_text()
    (run / "config.toml").write_text(settings.replace("epochs = 2", "epochs = 3"))
    new = zoo.report(run).read_bytes()
    assert new != old
    code = "import sys; from zoo.reports.report import report\nprint(flush=True)\nwhile True: report(sys.argv[1])"
    for wait in range(4):
        (run / "report.html").write_bytes(old)
        with subprocess.Popen([sys.executable, "-c", code, str(run)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.04 * wait)
            process.send_signal(signal.SIGKILL)
        assert (run / "report.html").read_bytes() in (old, new)


def test_a_page_can_be_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """By the option and by the argument."""
    monkeypatch.chdir(tmp_path)
    small = ["--model", "linear", "--epochs", "1", "--set", "data.limit=64", "--quiet"]
    assert main(["train", *small, "--out", "without", "--no-report"]) == 0
    assert main(["train", *small, "--out", "with"]) == 0
    assert [Path(name, "report.html").exists() for name in ("without", "with")] == [False, True]
    small_run(tmp_path / "python", report=False)
    assert not (tmp_path / "python" / "report.html").exists()


def test_a_run_stands_though_its_page_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The notice says why."""
    notices: list[str] = []

    class Listening(zoo.Reporter):
        def notice(self, text: str) -> None:
            notices.append(text)

    def damaged(*_: object) -> None:
        raise DamagedError("something is damaged")

    monkeypatch.setattr("zoo.reports.report.story_of", damaged)
    assert small_run(tmp_path / "run", reporter=Listening()).summary["status"] == "finished"
    assert notices == ["the run's page is not written: something is damaged"]


def test_a_notebook_shows_a_run(tmp_path: Path):
    """Its curves and matrix, in a frame that runs nothing of the notebook's."""
    run = small_run(tmp_path / "run")
    shown = run._repr_html_()
    assert shown.startswith('<iframe srcdoc="&lt;!doctype html')
    assert "Confusion matrix" in shown
    assert "Worst mistakes" not in shown
    assert run.report() == run.directory / "report.html"


def test_test_images_that_were_learnt_are_told(tmp_path: Path):
    """The record of the run's images says which, and the page warns."""
    train, test = small_split(60, size=12), small_split(20, size=12, seed=1)
    test.images[4], test.images[9] = train.images[7], train.images[7]
    images = Dataset(train, test, ["ant", "bee", "cat"], [MEAN], [STD])
    run = zoo.train("linear", data=images, validation=0, epochs=1, threads=1, out=tmp_path / "run").directory
    (warning,) = [each for each in story_of(run).document["warnings"] if each["kind"] == "duplicates"]
    assert (warning["count"], warning["pairs"]) == (2, [[4, 7], [9, 7]])
    assert "2 test images are also training images" in (run / "report.html").read_text()
