"""Comparisons: what differs, which test is used when, and that nothing is tested on different images."""

from __future__ import annotations

import html
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.stats

import zoo
from zoo.cli import main
from zoo.errors import UsageError
from zoo.reports.comparison import _differing
from zoo.reports.evaluations import read_evaluation

LIMIT = {"data.limit": 400}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recipes with three seeds each, and a run on fewer images."""
    path = tmp_path_factory.mktemp("compared")
    small = {"epochs": 1, "batch_size": 16, "threads": 1, "report": False}
    for lr in (0.003, 0.0001):
        for seed in (0, 1, 2):
            zoo.train("linear", lr=lr, seed=seed, split_by="class", options=LIMIT, out=path / f"{lr:g}-{seed}", **small)
    zoo.train("linear", options={"data.limit": 300}, out=path / "fewer", **small)
    return path


def same_images(folder: Path, tmp_path: Path, *names: str) -> list[Path]:
    """Return copies of runs whose test images count as the same: a limit draws others for each seed."""
    for name in names:
        shutil.copytree(folder / name, tmp_path / name)
        path = tmp_path / name / "evaluations" / "test-best.json"
        document = json.loads(path.read_text())
        path.write_text(json.dumps({**document, "images": {"known_by": "pixels", "sha256": "0" * 64}}))
    return [tmp_path / name for name in names]


def test_two_models_are_compared_image_by_image(folder: Path):
    """The counts are those of the kept predictions, and the test is scipy's."""
    found = zoo.compare(folder / "0.0001-0", folder / "0.003-0")
    assert found["same_images"]
    (pair,) = found["models"]
    best, other = found["runs"][pair["second"]], found["runs"][pair["first"]]
    assert best["val_accuracy"] >= other["val_accuracy"]
    rights = [read_evaluation(Path(run["run"]), "test-best").outcomes.right for run in (other, best)]
    only = [int((rights[0] & ~rights[1]).sum()), int((rights[1] & ~rights[0]).sum())]
    assert [pair["first_only"], pair["second_only"]] == only
    assert pair["p"] == pytest.approx(scipy.stats.binomtest(only[0], sum(only)).pvalue)
    assert pair["difference"] == pytest.approx(best["accuracy"] - other["accuracy"])
    assert pair["interval"][0] < pair["difference"] < pair["interval"][1]
    assert len(pair["second_only_places"]) == min(only[1], 100)
    assert [row["key"] for row in found["settings"]] == ["optimizer.lr"]
    assert found["recipes"] == []


def test_several_models_are_each_compared_with_the_best_and_adjusted(folder: Path, tmp_path: Path):
    """By Holm; the best is the one with the best validation accuracy."""
    first, second = same_images(folder, tmp_path, "0.003-0", "0.0001-0")
    third = tmp_path / "third"
    shutil.copytree(first, third)
    settings = (third / "config.toml").read_text()
    (third / "config.toml").write_text(settings.replace("batch_size = 16", "batch_size = 17"))
    found = zoo.compare(first, second, third)
    assert len(found["models"]) == 2
    assert {pair["second"] for pair in found["models"]} == {0}
    ps = sorted(pair["p"] for pair in found["models"])
    assert sorted(pair["adjusted_p"] for pair in found["models"]) == pytest.approx([min(1, 2 * ps[0]), ps[1]])


def test_runs_that_differ_in_the_seed_alone_are_one_recipe(folder: Path, tmp_path: Path):
    """Their means are compared pair by pair where the seeds are the same, and no single models are."""
    names = [f"{lr}-{seed}" for lr in ("0.0001", "0.003") for seed in (0, 1, 2)]
    found = zoo.compare(*same_images(folder, tmp_path, *names))
    assert [group["seeds"] for group in found["groups"]] == [[0, 1, 2], [0, 1, 2]]
    (pair,) = found["recipes"]
    accuracies = [run["accuracy"] for run in found["runs"]]
    expected = scipy.stats.ttest_rel(accuracies[3:], accuracies[:3])
    assert pair["test"] == "paired t"
    assert pair["p"] == pytest.approx(expected.pvalue)
    assert pair["difference"] == pytest.approx(np.mean(accuracies[3:]) - np.mean(accuracies[:3]))
    assert found["models"] == []


def test_recipes_with_other_seeds_are_compared_by_welch(folder: Path, tmp_path: Path):
    """As two groups."""
    names = ["0.0001-0", "0.0001-1", "0.003-1", "0.003-2"]
    (pair,) = zoo.compare(*same_images(folder, tmp_path, *names))["recipes"]
    assert pair["test"] == "Welch's t"


def test_different_images_are_told_and_nothing_is_tested(folder: Path, capsys: pytest.CaptureFixture[str]):
    """Whatever the accuracies are."""
    found = zoo.compare(folder / "0.003-0", folder / "fewer")
    assert not found["same_images"]
    assert found["models"] == found["recipes"] == []
    assert main(["compare", str(folder / "0.003-0"), str(folder / "fewer")]) == 0
    assert "different test images (by digest)" in capsys.readouterr().out


def test_the_command_says_which_question_its_test_answers(folder: Path, capsys: pytest.CaptureFixture[str]):
    """Runs, what differs, epochs side by side, and the sentence."""
    assert main(["compare", str(folder / "0.0001-0"), str(folder / "0.003-0")]) == 0
    out = capsys.readouterr().out
    assert out.startswith("RUN ")
    assert "optimizer.lr  0.0001    0.003" in out
    assert "EPOCH" in out
    assert "Trained models on the same 400 images: 0.003-0 less 0.0001-0 is +" in out
    assert "McNemar's exact p = " in out
    assert main(["compare", str(folder / "0.0001-0"), str(folder / "0.003-0"), "--quiet"]) == 0
    assert "EPOCH" not in capsys.readouterr().out


def test_recipes_are_told_in_words(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """With the interval over seeds, and that over seeds and images."""
    names = [f"{lr}-{seed}" for lr in ("0.0001", "0.003") for seed in (0, 1)]
    assert main(["compare", *map(str, same_images(folder, tmp_path, *names))]) == 0
    out = capsys.readouterr().out
    assert "Recipes over seeds: that of 0.003-0 less that of 0.0001-0 is +" in out
    assert "over other seeds and images. Paired t, p = " in out


def test_a_page_of_the_comparison_is_written(folder: Path, tmp_path: Path):
    """With the same policy as a run's page."""
    out = tmp_path / "page.html"
    assert main(["compare", str(folder / "0.0001-0"), str(folder / "0.003-0"), "--html", str(out)]) == 0
    page = out.read_text()
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    assert "McNemar&#39;s exact p = " in page
    assert "optimizer.lr" in page


def test_a_notebook_shows_a_comparison(folder: Path, tmp_path: Path):
    """As the page that is written, in a frame that runs nothing of the notebook's; it is plain data all the same."""
    found = zoo.compare(folder / "0.0001-0", folder / "0.003-0")
    page = found.report(tmp_path / "page.html").read_text()
    shown = found._repr_html_()
    frame = re.fullmatch(r'<iframe srcdoc="([^"]*)" [^>]*sandbox="allow-scripts"></iframe>', shown)
    assert frame is not None
    assert html.unescape(frame[1]) == page
    assert "McNemar&#39;s exact p = " in page
    assert json.loads(json.dumps(found)) == found
    with pytest.raises(UsageError, match="cannot write"):
        found.report(tmp_path / "no such folder" / "page.html")


BAD = {
    "one run": (["0.003-0"], "needs two runs or more"),
    "twice the same": (["0.003-0", "0.003-0"], "is given twice"),
    "no run": (["0.003-0", "none"], "there is no run"),
    "no evaluation": (["0.003-0", "bare"], "make it by: zoo evaluate"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_costs_a_line(case: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """And exit code 2."""
    shutil.copytree(folder / "0.003-0", tmp_path / "0.003-0")
    shutil.copytree(folder / "0.003-1", tmp_path / "bare")
    shutil.rmtree(tmp_path / "bare" / "evaluations")
    names, message = BAD[case]
    assert main(["compare", *(str(tmp_path / name) for name in names)]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert len(err.splitlines()) <= 2


def test_the_training_images_compare_nothing(folder: Path):
    """They were learnt."""
    with pytest.raises(UsageError, match="what was learnt compares nothing"):
        zoo.compare(folder / "0.003-0", folder / "0.0001-0", split="train")


@pytest.mark.parametrize(
    ("one", "other", "shown"),
    [
        (["mlp", "linear"], ["mlp", "cnn"], [["mlp", "linear"], ["mlp", "cnn"]]),
        (["mlp", "mlp"], ["mlp", "mlp"], None),
        ([], ["mlp", "mlp"], [[], ["mlp", "mlp"]]),
    ],
)
def test_tables_are_told_by_their_names_where_these_differ(one: list[str], other: list[str], shown: object):
    """The members of two ensembles; else the tables themselves, as two equal cells would show no difference."""
    tables = [
        [{"name": name, "options": {"width": width}} for name in names] for width, names in enumerate((one, other))
    ]
    runs = [SimpleNamespace(settings={"model.members": table, "train.seed": 1}) for table in tables]
    assert _differing(runs) == [{"key": "model.members", "values": tables if shown is None else shown}]
