"""``zoo sweep`` and ``zoo train --seeds``, as one types them: every run is a process that trains."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from forked_runs import forked_runs as forked_runs  # noqa: PLC0414 - a fixture is found by its name here
from storm import outcome

import zoo
from zoo.cli import main
from zoo.records.claims import Claims

TINY = ["--model", "linear", "--set", "data.limit=64", "--steps", "1", "--threads", "1"]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("ZOO_")]:
        monkeypatch.delenv(name)


def _begun(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "zoo", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def killed_at_random(arguments: list[str], kills: int, seed: int) -> dict[str, Any]:
    """Return what a sweep prints at the end that was killed *kills* times before, at random moments."""
    draws = random.Random(seed)
    for _ in range(kills):
        process = _begun(*arguments)
        try:
            process.wait(draws.uniform(0.2, 8))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        process.communicate()
    process = _begun(*arguments)
    out, err = process.communicate(timeout=1000)
    assert process.returncode == 0, err
    document: dict[str, Any] = json.loads(out)
    return document


def differing(first: Path, second: Path) -> set[str]:
    """Return the settings in which two runs differ."""
    from zoo.config import flattened

    one, other = (flattened(tomllib.loads((path / "config.toml").read_text())) for path in (first, second))
    return {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)}


@pytest.mark.usefixtures("forked_runs")
def test_seeds_are_ordinary_runs_and_their_mean_is_told(capsys: pytest.CaptureFixture[str]):
    """With the same numbers as the run that is typed alone; typed again, the sweep tells what it has."""
    assert main(["sweep", *TINY, "--seeds", "2", "--seed", "5", "--out", "s", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(run["name"], run["settings"], run["status"]) for run in found["runs"]] == [
        ("seed-5", {"train.seed": 5}, "finished"),
        ("seed-6", {"train.seed": 6}, "finished"),
    ]
    assert differing(Path("s/seed-5"), Path("s/seed-6")) == {"train.seed"}
    assert main(["train", *TINY, "--seed", "6", "--out", "alone", "--json"]) == 0
    alone = json.loads(capsys.readouterr().out)
    same = ("val_accuracy", "val_loss", "test_accuracy", "test_loss")
    assert [found["runs"][1]["summary"][key] for key in same] == [alone[key] for key in same]
    accuracies = [run["summary"]["test_accuracy"] for run in found["runs"]]
    assert found["mean"]["test_accuracy"]["value"] == pytest.approx(sum(accuracies) / 2)
    assert main(["train", *TINY, "--seeds", "2", "--seed", "5", "--out", "s"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "mlp/linear on mnist/mnist, seeds 5 to 6, in s"
    assert lines[1].startswith("seed-5  validation ")
    assert lines[1].endswith(", finished before")
    assert lines[4].startswith("test accuracy ")
    assert " on average of 2 seeds (95 % interval " in lines[4]
    assert len(lines) == 5


SEARCH = ["sweep", "--model", "mlp", "--set", "data.limit=64", "--steps", "1", "--threads", "1"]
SEARCH += ["--out", "s", "--json"]
SEARCH += ["--search", "optimizer.lr=log(1e-3,1e-1)", "--search", "model.p=[0.1,0.25]"]


def _told(document: dict[str, Any]) -> list[Any]:
    """Return all that must not hang on when a sweep was killed."""
    keys = ("val_accuracy", "val_loss", "test_accuracy", "test_loss")
    runs = [(run["name"], run["settings"], *(run["summary"][key] for key in keys)) for run in document["runs"]]
    return [*runs, document["best"]]


@pytest.mark.usefixtures("forked_runs")
def test_the_best_trial_s_configuration_repeats_its_bits(capsys: pytest.CaptureFixture[str]):
    """Trials differ in what is searched alone, and the best is the one with the highest validation accuracy."""
    assert main([*SEARCH, "--trials", "2"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert differing(Path("s/trial-000"), Path("s/trial-001")) <= {"optimizer.lr", "model.p"}
    scores = {run["name"]: run["summary"]["val_accuracy"] for run in whole["runs"]}
    assert scores[whole["best"]] == max(scores.values())
    best = next(run for run in whole["runs"] if run["name"] == whole["best"])
    assert main(["train", "--config", f"s/{whole['best']}/config.toml", "--out", "again", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["val_loss"] == best["summary"]["val_loss"]


@pytest.mark.slow
def test_a_search_of_twelve_trials_survives_twenty_kills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """At random moments, two trials at a time; the best one's configuration repeats its weights and its measures."""
    search = [*SEARCH, "--trials", "12", "--jobs", "2"]
    whole = killed_at_random(search, kills=0, seed=0)
    (tmp_path / "killed").mkdir()
    monkeypatch.chdir(tmp_path / "killed")
    killed = killed_at_random(search, kills=20, seed=3)
    assert _told(killed) == _told(whole)
    process = _begun("train", "--config", f"s/{killed['best']}/config.toml", "--out", "again")
    _, err = process.communicate(timeout=1000)
    assert process.returncode == 0, err
    assert outcome(Path("again")) == outcome(Path("s") / killed["best"]) == outcome(tmp_path / "s" / whole["best"])


@pytest.mark.slow
def test_a_second_command_helps_and_takes_over_what_a_killed_one_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """With the parameters and numbers of one command alone, and each trial made to its end once."""
    search = [*SEARCH, "--trials", "6"]
    whole = killed_at_random(search, kills=0, seed=0)
    (tmp_path / "shared").mkdir()
    monkeypatch.chdir(tmp_path / "shared")
    claims, trials = Claims(Path("s")), [f"trial-{number:03}" for number in range(6)]
    with _begun(*search) as first:
        _until(lambda: Path("s/trial-001/config.toml").exists())
        first.send_signal(signal.SIGSTOP)  # else it may have made all trials before the second is there
        with _begun(*search) as second:
            _until(lambda: any(claims.holder(trial).startswith(f"process {second.pid} on") for trial in trials))
            first.kill()
            out, err = second.communicate(timeout=1000)
        assert second.returncode == 0, err
        told = json.loads(out)
    assert _told(told) == _told(whole)
    for trial in trials:
        assert outcome(Path("s") / trial) == outcome(tmp_path / "s" / trial)
    assert not any(claims.is_held(trial) for trial in trials)


@pytest.mark.slow
@pytest.mark.usefixtures("forked_runs")
def test_shares_from_two_machines_are_one_sweep_when_copied_together(capsys: pytest.CaptureFixture[str]):
    """The copied run is kept as it is, and another sweep's run is refused by what differs from what was asked for."""
    sweep = ["sweep", *TINY, "--seeds", "2"]
    for share, out in (("1/2", "a"), ("2/2", "b")):
        assert main([*sweep, "--share", share, "--out", out]) == 0
        assert f", share {share}, in {out}" in capsys.readouterr().out
    shutil.copytree("b/seed-1", "a/seed-1")
    assert main([*sweep, "--out", "a"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].endswith(", finished before")
    assert lines[2].startswith("seed-1  validation ")
    assert " on average of 2 seeds (95 % interval " in lines[3]
    shutil.rmtree("a/seed-1")
    assert main(["train", *TINY, "--seed", "2", "--clip-norm", "1", "--out", "b/seed-2"]) == 0
    shutil.copytree("b/seed-2", "a/seed-2")
    assert main([*sweep[:-1], "3", "--out", "a"]) == 1
    err = capsys.readouterr().err
    assert "a/seed-2 holds a run with other settings: train.clip_norm is 1.0 there and 'off' here." in err
    assert "seed-2  failed, exit code 2" in err


def _until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 100
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.slow
def test_a_killed_cross_validation_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Every image is predicted once, and with the same numbers as of one that was not killed."""
    folds = ["sweep", *TINY, "--folds", "3", "--out", "s", "--json"]
    whole = killed_at_random(folds, kills=0, seed=0)
    assert whole["out_of_fold"]["samples"] == 64
    assert [run["settings"] for run in whole["runs"]] == [{"train.fold": f"{number}/3"} for number in (1, 2, 3)]
    (tmp_path / "killed").mkdir()
    monkeypatch.chdir(tmp_path / "killed")
    killed = killed_at_random(folds, kills=3, seed=4)
    assert (_told(killed), killed["out_of_fold"]) == (_told(whole), whole["out_of_fold"])


@pytest.mark.usefixtures("forked_runs")
def test_trials_that_fail_end_no_search(capsys: pytest.CaptureFixture[str]):
    """They rank nowhere; the table has the others, the best first, and what to do next."""
    arguments = ["--search", "model.p=[0.1,2]", "--searcher", "grid", "--out", "s"]
    assert main([*SEARCH[:9], *arguments]) == 0
    out, err = capsys.readouterr()
    assert "trial-001  failed, exit code 2" in err
    assert "trial-000  validation " in out
    assert out.splitlines()[-1] == "next: zoo train --config s/trial-000/config.toml"


PRUNED = ["sweep", "--model", "mlp", "--set", "data.limit=64", "--epochs", "3", "--batch-size", "32", "--threads", "1"]
PRUNED += ["--search", "optimizer.lr=[1e-2,1e-7]", "--searcher", "grid", "--out", "s", "--json"]
PRUNED += ["--prune", "halving", "--set", "prune.first=2"]


@pytest.mark.slow
@pytest.mark.usefixtures("forked_runs")
def test_a_trial_is_pruned_after_an_epoch_and_goes_on_by_hand(capsys: pytest.CaptureFixture[str]):
    """It is marked and ranks nowhere, no test image was looked at, and gone on with it is the run that it would be."""
    assert main(PRUNED) == 0
    found = json.loads(capsys.readouterr().out)
    assert [run["status"] for run in found["runs"]] == ["finished", "pruned"]
    assert found["best"] == "trial-000"
    summary = found["runs"][1]["summary"]
    assert (summary["epochs"], summary["test_accuracy"]) == (2, None)
    assert len(Path("s/trial-001/metrics.csv").read_text().splitlines()) == 3
    assert main([word for word in PRUNED if word != "--json"]) == 0
    out = capsys.readouterr().out
    assert f"trial-001  validation {100 * summary['val_accuracy']:.2f} %, pruned after epoch 2" in out
    assert [line.split()[0] for line in out.splitlines()[-4:-2]] == ["trial-000", "trial-001"]
    assert main(["runs", "s"]) == 0
    assert "  pruned  " in capsys.readouterr().out
    page = json.loads(Path("s/report.json").read_text())
    assert (page["status"], page["warnings"]) == ("finished", [])
    assert "search/halving, which ended 1 of 2 trials" in Path("s/report.html").read_text()
    assert main(["train", "--resume", "s/trial-001", "--json"]) == 0
    by_hand = json.loads(capsys.readouterr().out)
    assert main(["train", "--config", "s/trial-001/config.toml", "--out", "alone", "--json"]) == 0
    alone = json.loads(capsys.readouterr().out)
    same = ("status", "epochs", "val_loss", "test_loss", "test_accuracy")
    assert [by_hand[key] for key in same] == [alone[key] for key in same]


@pytest.mark.slow
def test_a_pruned_search_survives_kills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The same trials are pruned, after the same epochs, as in one that was not killed."""
    search = [*SEARCH, "--trials", "8", "--prune", "halving", "--set", "prune.reduction=2"]
    search[search.index("--steps") : search.index("--steps") + 2] = ["--epochs", "4", "--batch-size", "16"]
    whole = killed_at_random(search, kills=0, seed=0)
    assert {run["status"] for run in whole["runs"]} == {"finished", "pruned"}
    (tmp_path / "killed").mkdir()
    monkeypatch.chdir(tmp_path / "killed")
    killed = killed_at_random(search, kills=10, seed=5)
    assert _told(killed) == _told(whole)
    for told in ("status", "epochs"):
        assert [run["summary"][told] for run in killed["runs"]] == [run["summary"][told] for run in whole["runs"]]
    for run in whole["runs"]:
        name, status = run["name"], run["status"]
        assert outcome(Path("s") / name, status) == outcome(tmp_path / "s" / name, status)


BAD = {
    "nothing differs": (
        ["sweep", "--model", "linear"],
        "what shall differ between the runs? Give --seeds N, or --folds K, or --search",
    ),
    "misspelt model": (["sweep", "--model", "linaer", "--seeds", "2"], "Did you mean 'linear'"),
    "seeds and a search": (
        ["sweep", "--model", "mlp", "--seeds", "2", "--search", "model.p=[0.1]"],
        "and one alone",
    ),
    "a search without validation": (
        ["sweep", "--model", "mlp", "--validation", "0", "--search", "model.p=[0.1]"],
        "give --validation above 0",
    ),
    "unknown searcher": (
        ["sweep", "--model", "mlp", "--searcher", "gird", "--search", "model.p=[0.1]"],
        "no searcher named 'gird'. Did you mean 'grid'",
    ),
    "unknown key of zoo's": (
        ["sweep", "--model", "mlp", "--search", "train.batchsize=[8]"],
        "no key named 'train.batchsize'. Did you mean 'train.batch_size'",
    ),
    "unknown option of the model": (
        ["sweep", "--model", "mlp", "--search", "model.width=[8]"],
        "no option of 'mlp/mlp' named 'width'. Did you mean 'widths'",
    ),
    "no space": (["sweep", "--model", "mlp", "--search", "model.p=0.5"], "no space that zoo knows"),
    "folds and a share": (
        ["sweep", "--model", "linear", "--folds", "2", "--validation", "10"],
        "leave --validation and --fold out",
    ),
    "unknown pruner": (
        ["sweep", "--model", "mlp", "--search", "model.p=[0.1]", "--prune", "havling", "--out", "s"],
        "no pruner named 'havling'. Did you mean 'halving'",
    ),
    "a pruner that refuses its options": (
        ["sweep", "--model", "mlp", "--search", "model.p=[0.1]", "--prune", "halving", "--set", "prune.reduction=1"],
        "reduction must be at least 2",
    ),
    "options of no pruner": (
        ["sweep", "--model", "mlp", "--search", "model.p=[0.1]", "--set", "prune.reduction=3"],
        "give --prune NAME",
    ),
    "seeds that are pruned": (["sweep", "--model", "linear", "--seeds", "2", "--prune", "halving"], "are a search's"),
    "trials of seeds": (
        ["sweep", "--model", "linear", "--seeds", "2", "--trials", "3"],
        "are a search's; leave them out",
    ),
    "a searcher of seeds": (
        ["sweep", "--model", "linear", "--seeds", "2", "--searcher", "grid"],
        "are a search's; leave them out",
    ),
    "a searcher's options of folds": (
        ["sweep", "--model", "linear", "--folds", "2", "--set", "search.points=3"],
        "are a search's; leave them out",
    ),
    "one seed": (["sweep", "--model", "linear", "--seeds", "1"], "1 is not in the range x>=2"),
    "seeds and restart": (
        ["train", "--model", "linear", "--seeds", "2", "--restart", "--out", "r"],
        "--seeds and --restart exclude each other",
    ),
    "seeds and resume": (
        ["train", "--seeds", "2", "--resume", "r"],
        "--seeds and --resume exclude each other",
    ),
    "a wrong option": (
        ["sweep", "--model", "linear", "--seeds", "2", "--set", "model.q=1", "--out", "s"],
        f"zoo: no option of model 'mlp/linear' (torch-zoo {zoo.__version__}) named 'q'. It takes none.",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_costs_a_line_or_two(case: str, capsys: pytest.CaptureFixture[str]):
    """With the exit code of wrong usage, and nothing left that another command would stumble over."""
    arguments, text = BAD[case]
    assert main(arguments) == 2
    _, err = capsys.readouterr()
    assert text in err
    assert len(err.splitlines()) <= 2
    assert not Path("s/sweep.json").exists()


def test_the_sweep_s_own_process_imports_no_torch():
    """It waits for hours beside runs that need the memory."""
    program = (
        "import sys; from zoo.cli import main; import zoo.sweeps.runs as runs\n"
        "runs.RunProcess = lambda command, variables: sys.exit(print('torch' in sys.modules))\n"
        f"main(['sweep', *{TINY!r}, '--seeds', '2', '--quiet'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=100)
    assert done.stdout == "False\n"
