"""Carrying out a sweep: what is kept, what goes on, and what ends with it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from quick_runs import quick

from zoo.config import Config, Layer
from zoo.errors import DamagedError, UsageError
from zoo.sweeps.asking import Asked, over_seeds
from zoo.sweeps.folder import SweepFolder
from zoo.sweeps.runs import Runs
from zoo.sweeps.seeds import Seeds, means

BASE = Config.from_layers([Layer("test", {"model": {"name": "mlp/linear"}})])
FINE = quick('accuracy = 0.5 + int(settings["train.seed"]) / 100')


def _folder(path: Path, base: Config = BASE) -> SweepFolder:
    folder = SweepFolder(path, {"kind": "seeds"}, base)
    folder.open()
    return folder


def _runs(path: Path, count: int, command: list[str] = FINE, jobs: int = 1) -> Runs:
    return Runs(_folder(path), Seeds(0, count), command, jobs)


def test_each_run_gets_its_settings_and_a_directory_of_its_own(tmp_path: Path):
    """And tells its summary as it ends, in the order of the runs."""
    outcomes = list(_runs(tmp_path / "s", 3).carry_out())
    assert [(run.name, run.summary["val_accuracy"], run.finished) for run in outcomes] == [
        ("seed-0", 0.5, True),
        ("seed-1", 0.51, True),
        ("seed-2", 0.52, True),
    ]
    assert [run.score for run in outcomes] == [0.5, 0.51, 0.52]
    assert means(outcomes)["val_accuracy"].value == pytest.approx(0.51)


def test_what_is_finished_is_kept_and_more_may_be_asked_for(tmp_path: Path):
    """No finished run is trained again."""
    list(_runs(tmp_path / "s", 2).carry_out())
    failing = quick("if out.exists():\n    sys.exit('not again')\naccuracy = 0.9")
    outcomes = list(_runs(tmp_path / "s", 3, failing).carry_out())
    assert [(run.was_finished, run.summary["val_accuracy"]) for run in outcomes] == [
        (True, 0.5),
        (True, 0.51),
        (False, 0.9),
    ]


def test_a_run_that_fails_ends_no_sweep_and_is_tried_again(tmp_path: Path):
    """Its exit code and its words are told."""
    fails = quick("""
        if settings["train.seed"] == "1":
            sys.exit("zoo: the loss became nan")
        accuracy = 0.5
    """)
    outcomes = list(_runs(tmp_path / "s", 3, fails).carry_out())
    assert [run.finished for run in outcomes] == [True, False, True]
    assert (outcomes[1].exit_code, outcomes[1].messages, outcomes[1].score) == (1, "zoo: the loss became nan", None)
    assert all(run.finished for run in _runs(tmp_path / "s", 3).carry_out())


def test_several_runs_go_at_a_time(tmp_path: Path):
    """Each waits here until the other has begun."""
    waits = quick("""
        out.parent.joinpath(f"begun-{settings['train.seed']}").touch()
        until = time.monotonic() + 60
        while len(list(out.parent.glob("begun-*"))) < 2:
            assert time.monotonic() < until
            time.sleep(0.01)
        accuracy = 0.5
    """)
    assert all(run.finished for run in _runs(tmp_path / "s", 2, waits, jobs=2).carry_out())


def test_what_ends_the_iteration_ends_the_processes(tmp_path: Path):
    """The pipe to a process is closed, and its end is waited for."""
    reads = quick("""
        if settings["train.seed"] == "1":
            os.read(0, 1)
            out.parent.joinpath("asked to end").touch()
            sys.exit(143)
        accuracy = 0.5
    """)
    with closing(_runs(tmp_path / "s", 2, reads, jobs=2).carry_out()) as outcomes:
        assert next(outcomes).name == "seed-0"
    assert (tmp_path / "s/asked to end").exists()


def test_a_process_ends_when_the_sweep_is_killed(tmp_path: Path):
    """By the system's closing of the pipe: nothing is left that would hold a run."""
    program = f"""
import os, signal, sys, threading
sys.path[:0] = {[str(Path(__file__).parents[1] / "support")]!r}
from pathlib import Path
from quick_runs import quick
from zoo.sweeps.processes import RunProcess
body = "Path('pid').write_text(str(os.getpid())); os.read(0, 1); Path('ended').touch(); accuracy = 1"
process = RunProcess([*quick(body), "--out=run"], {{}})
while not (Path("pid").exists() and Path("pid").read_text()):
    pass
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    until = time.monotonic() + 30
    while not (tmp_path / "ended").exists():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_another_sweep_s_folder_is_refused_with_what_differs(tmp_path: Path):
    """And nothing in it is changed."""
    list(_runs(tmp_path / "s", 1).carry_out())
    before = (tmp_path / "s/sweep.json").read_bytes()
    other = Config.from_layers([Layer("test", {"model": {"name": "mlp/linear"}, "train": {"epochs": 7}})])
    with pytest.raises(UsageError, match=r"holds another sweep: train.epochs is 5 there and 7 here.\nGive another"):
        _folder(tmp_path / "s", other)
    assert (tmp_path / "s/sweep.json").read_bytes() == before


def test_a_sweep_from_before_a_setting_could_be_left_to_zoo_goes_on_as_it_was(tmp_path: Path):
    """By its own command: further runs are given what it meant then; only what was asked for is held against it."""
    asked = Asked(BASE, ["--model=linear"], tmp_path / "s")
    over_seeds(asked, 2).runs.folder.given("seed-0", lambda: {"train.seed": 0})
    record = json.loads((tmp_path / "s/sweep.json").read_text())
    record["config"]["schema"] = 2
    for name in ("batch_size", "crop_from", "refit"):
        assert record["config"]["train"].pop(name) == "auto"
    (tmp_path / "s/sweep.json").write_text(json.dumps(record))

    runs = over_seeds(asked, 2).runs
    settled = ["--set=train.batch_size=128", '--set=train.crop_from="input"', '--set=train.refit="off"']
    assert [word for word in runs.command if word.startswith("--set=")] == settled
    assert runs.command.index("--model=linear") < runs.command.index(settled[0])
    runs.folder.given("seed-1", lambda: {"train.seed": 1})
    assert json.loads((tmp_path / "s/sweep.json").read_text())["config"]["train"]["batch_size"] == 128
    assert not [word for word in over_seeds(replace(asked, out=tmp_path / "new"), 2).runs.command if "--set" in word]

    other = Config.from_layers([Layer("test", {**BASE.to_dict(), "train": {"batch_size": 64}})])
    with pytest.raises(UsageError, match=r"holds another sweep: train.batch_size is 128 there and 64 here\.\nGive"):
        over_seeds(replace(asked, config=other), 2)


def test_what_was_asked_for_is_not_left_to_zoo_later(tmp_path: Path):
    """Where the sweep recorded ``auto``, a value is another sweep."""
    list(_runs(tmp_path / "s", 1).carry_out())
    other = Config.from_layers([Layer("test", {**BASE.to_dict(), "train": {"batch_size": 64}})])
    with pytest.raises(UsageError, match=r"train\.batch_size is 'auto' there and 64 here"):
        _folder(tmp_path / "s", other)


@pytest.mark.parametrize("name", ["cat.png", "config.toml"])
def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path, name: str):
    """A run's own directory among them."""
    (tmp_path / name).touch()
    with pytest.raises(UsageError, match="exists and holds something else than a sweep; give another --out"):
        _folder(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"question": {}, "runs": 3, "config": {}, "names": []}'])
def test_a_damaged_record_is_told(tmp_path: Path, text: str):
    """Whichever part of it."""
    (tmp_path / "sweep.json").write_text(text)
    with pytest.raises(DamagedError, match=r"sweep\.json"):
        _folder(tmp_path)


def test_a_record_without_runs_is_forgotten_and_another_kept(tmp_path: Path):
    """So that a mended command may use the folder where the first was refused."""
    folder = _folder(tmp_path / "s")
    folder.given("seed-0", lambda: {"train.seed": 0})
    assert json.loads((tmp_path / "s/sweep.json").read_text())["runs"] == [{"train.seed": 0}]
    folder.claims.take("seed-0")
    folder.claims.release("seed-0")
    folder.forget()
    assert list((tmp_path / "s").iterdir()) == []
    list(_runs(tmp_path / "s", 1).carry_out())
    _folder(tmp_path / "s").forget()
    assert (tmp_path / "s/sweep.json").exists()
