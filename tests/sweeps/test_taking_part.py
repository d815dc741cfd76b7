"""Several processes that make one sweep: each run is made once, whoever dies, and all hear of all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from quick_runs import quick

from zoo.config import Config, Layer
from zoo.errors import UsageError
from zoo.records.claims import Claims
from zoo.records.sweeps import read_sweep
from zoo.sweeps import folder as folder_module
from zoo.sweeps.asking import Sweep, concluded
from zoo.sweeps.folder import SweepFolder
from zoo.sweeps.runs import Outcome, Runs
from zoo.sweeps.seeds import Seeds

BASE = Config.from_layers([Layer("test", {"model": {"name": "mlp/linear"}})])
MADE = """
    with (out.parent / "made").open("a") as log:
        log.write(out.name + "\\n")
    accuracy = 0.5 + int(settings["train.seed"]) / 100
"""


def runs_in(path: Path, count: int, body: str = MADE, **more: Any) -> Runs:
    folder = SweepFolder(path, {"kind": "seeds"}, BASE)
    folder.open()
    return Runs(folder, Seeds(0, count), quick(body), **more)


def made(path: Path) -> list[str]:
    """Return the runs whose processes came to train, in the order in which they did."""
    return (path / "made").read_text().split()


def told(outcomes: list[Outcome]) -> list[tuple[str, Mapping[str, Any], Any]]:
    return sorted((run.name, run.settings, run.summary.get("val_accuracy")) for run in outcomes)


def test_each_run_is_made_once_and_all_hear_of_all(tmp_path: Path):
    """Two that take part at once, one of them with two jobs, come to what one comes to alone."""
    alone = list(runs_in(tmp_path / "alone", 4).carry_out())
    together = [runs_in(tmp_path / "s", 4, jobs=jobs) for jobs in (1, 2)]
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(lambda runs: list(runs.carry_out()), together))
    assert sorted(made(tmp_path / "s")) == [f"seed-{number}" for number in range(4)]
    assert [told(outcomes) for outcomes in found] == [told(alone)] * 2
    assert sum(not run.was_finished for outcomes in found for run in outcomes) == 4
    assert read_sweep(tmp_path / "s").names == read_sweep(tmp_path / "alone").names


def test_what_another_makes_is_made_last_if_that_one_lets_it_go(tmp_path: Path):
    """It is waited for, and told once, with who makes it: nobody else can go on before."""
    other, lines = Claims(tmp_path / "s"), []
    assert other.take("seed-0")

    def let_go(line: str) -> None:
        lines.append(line)
        other.release("seed-0")

    outcomes = list(runs_in(tmp_path / "s", 3).carry_out(let_go))
    assert made(tmp_path / "s") == [run.name for run in outcomes] == ["seed-1", "seed-2", "seed-0"]
    (line,) = lines
    assert line.startswith(f"seed-0 is made by process {os.getpid()} on ")


def test_what_another_finished_is_heard(tmp_path: Path):
    """As if it had been finished before."""
    other = Claims(tmp_path / "s")
    other.take("seed-1")

    def finish(_: str) -> None:
        run = tmp_path / "s/seed-1"
        run.mkdir()
        (run / "config.toml").touch()
        (run / "summary.json").write_text(json.dumps({"status": "finished", "val_accuracy": 0.75}))
        other.release("seed-1")

    outcomes = list(runs_in(tmp_path / "s", 2).carry_out(finish))
    assert [(run.name, run.score, run.was_finished) for run in outcomes] == [
        ("seed-0", 0.5, False),
        ("seed-1", 0.75, True),
    ]
    assert made(tmp_path / "s") == ["seed-0"]


def test_what_failed_elsewhere_is_tried_again_by_those_who_come_later_alone(tmp_path: Path):
    """Whoever was there hears of it, with its words, and trains something else."""
    going = runs_in(tmp_path / "s", 3).carry_out()
    assert next(going).name == "seed-0"
    other = Claims(tmp_path / "s")
    other.take("seed-1")
    other.fail("seed-1", 4, "zoo: the image a.png is damaged")
    other.release("seed-1")
    failed, last = going
    assert (failed.name, failed.status, failed.exit_code, failed.messages, last.name) == (
        "seed-1",
        "failed",
        4,
        "zoo: the image a.png is damaged",
        "seed-2",
    )
    assert [run.finished for run in runs_in(tmp_path / "s", 3).carry_out()] == [True] * 3
    assert made(tmp_path / "s") == ["seed-0", "seed-2", "seed-1"]
    assert Claims(tmp_path / "s").failures() == {}


def test_a_failure_is_kept_for_the_others_and_what_was_interrupted_is_not_one(tmp_path: Path):
    """A sweep that is left lets its runs go."""
    fails = "if settings['train.seed'] == '0': sys.exit('zoo: no')\nos.read(0, 1)\nsys.exit(143)"
    going = runs_in(tmp_path / "s", 2, fails, jobs=2).carry_out()
    assert not next(going).finished
    claims = Claims(tmp_path / "s")
    assert [claims.is_held(f"seed-{number}") for number in range(2)] == [False, True]
    going.close()
    assert not claims.is_held("seed-1")
    assert {name: failure.messages for name, failure in claims.failures().items()} == {"seed-0": "zoo: no"}


class Asks:
    """Proposes what it was told last, and remembers in which order it was asked and told."""

    count = 2

    def __init__(self) -> None:
        self.heard: list[str] = []

    def name(self, number: int) -> str:
        return f"trial-{number}"

    def ask(self, number: int) -> dict[str, Any]:
        self.heard.append(f"ask {number}")
        return {"train.seed": number}

    def tell(self, outcome: Outcome) -> None:
        self.heard.append(f"tell {outcome.number}")


def test_a_searcher_hears_what_others_made_before_it_is_asked(tmp_path: Path):
    """And is not asked for what they were given."""
    plans, runs = (Asks(), Asks()), []
    for plan in plans:
        folder = SweepFolder(tmp_path / "s", {"kind": "search"}, BASE)
        folder.open()
        runs.append(Runs(folder, plan, quick(MADE)).carry_out())
    assert [next(going).name for going in runs] == ["trial-0", "trial-0"]
    assert [next(going).name for going in reversed(runs)] == ["trial-1", "trial-1"]
    assert plans[0].heard == ["ask 0", "tell 0", "tell 1"]
    assert plans[1].heard == ["tell 0", "ask 1", "tell 1"]


def test_another_sweep_that_was_begun_meanwhile_is_not_mixed_in(tmp_path: Path):
    """Both found an empty folder."""
    folders = [SweepFolder(tmp_path, {"kind": kind}, BASE) for kind in ("seeds", "search")]
    for folder in folders:
        folder.open()
    assert folders[0].given("seed-0", lambda: {"train.seed": 0}) == {"train.seed": 0}
    with pytest.raises(UsageError, match="holds another sweep: kind is 'seeds' there and 'search' here"):
        folders[1].given("trial-0", lambda: {"train.seed": 0})


def test_the_end_waits_for_no_deadline_and_keeps_nobody_from_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """However long another's page takes: runs are made meanwhile, and a sweep that has succeeded ends well."""
    monkeypatch.setattr(folder_module, "_PATIENCE", 0.0)
    pages = []
    monkeypatch.setattr("zoo.reports.report.report_if_possible", lambda path, notice: pages.append(path))
    sweep = Sweep(runs_in(tmp_path / "s", 2), "two", "seeds")
    with ThreadPoolExecutor() as pool, sweep.runs.folder.concluding():
        outcomes = list(sweep.runs.carry_out())
        end = pool.submit(concluded, sweep, outcomes, print)
        with pytest.raises(TimeoutError):
            end.result(timeout=0.05)
        assert pages == []
    assert [run.finished for run in end.result().runs] == [True, True]
    assert pages == [tmp_path / "s"]
