"""``zoo runs``: a leaderboard that validation ranks, of thousands of runs at once."""

from __future__ import annotations

import csv
import io
import json
import time
from pathlib import Path

import pytest

from zoo.cli import main

CONFIG = """schema = {schema}
[model]
name = "mlp/linear"
[data]
name = "mnist/mnist"
[optimizer]
name = "torch/adamw"
lr = {lr}
[criterion]
name = "torch/cross_entropy"
[scheduler]
name = "torch/one_cycle"
[train]
seed = {seed}
"""


def write_run(folder: Path, name: str, *, lr: float = 0.01, seed: int = 0, **summary: object) -> Path:
    """Write the files of a run that the list reads."""
    from zoo.config import SCHEMA

    (folder / name).mkdir(parents=True)
    (folder / name / "config.toml").write_text(CONFIG.format(lr=lr, seed=seed, schema=SCHEMA))
    found = {"schema": 1, "status": "finished", "model": "mlp/linear", "data": "mnist/mnist", "epochs": 5, **summary}
    (folder / name / "summary.json").write_text(json.dumps(found))
    return folder / name


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Some runs: the best by validation is not the best by test, and some have neither."""
    monkeypatch.chdir(tmp_path)
    runs = Path("runs")
    write_run(runs, "a", val_accuracy=0.90, test_accuracy=0.99, lr=0.1)
    write_run(runs, "b", val_accuracy=0.95, test_accuracy=0.91, seed=1)
    write_run(runs, "c", val_accuracy=0.93, test_accuracy=0.92, seed=2)
    write_run(runs, "d", status="failed", val_accuracy=None)
    write_run(runs, "e", status="running")
    (runs / "f").mkdir()
    (runs / "f" / "config.toml").write_text("damaged")
    (runs / "f" / "summary.json").write_text("{")
    return runs


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict]:
    assert main(["runs", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)["runs"]


def names(runs: list[dict]) -> list[str]:
    return [Path(run["directory"]).name for run in runs]


def test_validation_ranks_and_test_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]):
    """A run without a validation accuracy comes last, marked with how it stands."""
    runs = listed(capsys)
    assert names(runs) == ["b", "c", "a", "d", "e", "f"]
    assert [run["status"] for run in runs] == ["finished"] * 3 + ["failed", "killed", "damaged"]
    assert main(["runs"]) == 0
    out, err = capsys.readouterr()
    assert "95.00 %" in out
    assert "91.00 %" in out
    assert "summary.json is damaged" in err


@pytest.mark.parametrize(
    ("key", "expected"),
    [("test_accuracy", "acbdef"), ("optimizer.lr", "abcdef"), ("status", "fdabce"), ("directory", "abcdef")],
)
def test_another_key_ranks_where_one_asks_for_it(
    folder: Path, key: str, expected: str, capsys: pytest.CaptureFixture[str]
):
    """Of the summary or of the settings; accuracies from the greatest, texts from the first."""
    assert "".join(names(listed(capsys, "--sort", key))) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("status=finished", "bca"),
        ("train.seed=1", "b"),
        ("optimizer.lr=0.10", "a"),
        ("model=linear", "bcade"),
        ("model=mlp/*", "bcade"),
        ("model=resnet*", ""),
    ],
)
def test_conditions_choose(folder: Path, condition: str, expected: str, capsys: pytest.CaptureFixture[str]):
    """By the summary or the settings, with patterns; numbers by their value."""
    assert "".join(names(listed(capsys, "--where", condition))) == expected


def test_runs_that_differ_in_the_seed_alone_stand_together(folder: Path, capsys: pytest.CaptureFixture[str]):
    """With their mean and how many there are."""
    assert main(["runs", "--where", "status=finished", "--group", "--json"]) == 0
    best, other = json.loads(capsys.readouterr().out)["recipes"]
    assert [Path(run).name for run in best["runs"]] == ["b", "c"]
    assert best["validation"]["mean"] == pytest.approx(0.94)
    assert best["test"]["count"] == 2
    assert other["validation"]["interval"] is None
    assert main(["runs", "--group"]) == 0
    assert "94.00 % +- 12.71" in capsys.readouterr().out


def test_csv_has_a_column_for_each_key(folder: Path, capsys: pytest.CaptureFixture[str]):
    """In the order of the rank."""
    assert main(["runs", "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [Path(row["directory"]).name for row in rows] == ["b", "c", "a", "d", "e", "f"]
    assert rows[0]["val_accuracy"] == "0.95"
    assert main(["runs", "--where", "status=finished", "--group", "--csv"]) == 0
    assert next(csv.DictReader(io.StringIO(capsys.readouterr().out)))["seeds"] == "2"


BAD = {
    "no condition": (["--where", "model"], "--where takes KEY=VALUE"),
    "a misspelt condition": (["--where", "modle=x"], "no key named 'modle'. Did you mean 'model'?"),
    "a misspelt key": (["--sort", "val_acuracy"], "no key named 'val_acuracy'. Did you mean 'val_accuracy'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_costs_a_line(case: str, folder: Path, capsys: pytest.CaptureFixture[str]):
    """With what was probably meant."""
    arguments, message = BAD[case]
    assert main(["runs", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_two_thousand_runs_are_listed_in_under_a_second(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Of this process's own time: no checkpoint is read for it."""
    for number in range(2000):
        write_run(tmp_path / "many", f"run-{number:04}", seed=number, val_accuracy=number / 2000)
    before = time.process_time()
    assert len(listed(capsys, str(tmp_path / "many"))) == 2000
    assert time.process_time() - before < 1
