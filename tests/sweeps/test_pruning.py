"""Pruning: what a pruner is shown, what a trial is told, and that a kill changes neither."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from entry_of import entry_of
from quick_runs import quick

from zoo.config import Config, Layer
from zoo.errors import PluginError, UsageError
from zoo.records.directory import RunDirectory
from zoo.records.sweeps import read_sweep
from zoo.sweeps.curves import Curve
from zoo.sweeps.folder import SweepFolder
from zoo.sweeps.pruning import Pruning
from zoo.sweeps.runs import Outcome, Runs

HEADER = "epoch,step,val_loss,val_accuracy,val_balanced_accuracy\n"
BASE = Config.from_layers([Layer("test", {"model": {"name": "mlp/mlp"}})])


class Listens:
    """Says what it was told to, and remembers what it was shown."""

    def __init__(self, *verdicts: Any) -> None:
        self.verdicts, self.shown = list(verdicts), []

    def keeps(self, scores: Sequence[float], others: Sequence[Curve]) -> Any:
        self.shown.append((tuple(scores), list(others)))
        verdict = self.verdicts.pop(0)
        if isinstance(verdict, Exception):
            raise verdict
        return verdict


def pruning(pruner: Any, select: str = "accuracy") -> Pruning:
    def penguin() -> Any:
        return pruner

    return Pruning(entry_of("pruners", penguin), {}, select)


def trial(path: Path, *rows: str, status: str | None = None) -> Path:
    """Write a trial's files as they stand after these rows."""
    path.mkdir(exist_ok=True)
    (path / "config.toml").write_text("")
    (path / "metrics.csv").write_text(HEADER + "".join(f"{row}\n" for row in rows))
    if status is not None:
        (path / "summary.json").write_text(json.dumps({"status": status}))
    return path


def test_a_trial_is_let_on_epoch_by_epoch_until_it_is_ended(tmp_path: Path):
    """It is told nothing before it is where it waits, and nothing once it was ended."""
    listens = Listens(True, False)
    judged, run = pruning(listens), trial(tmp_path / "a")
    assert judged.begun(0, run) == "1\n"
    assert judged.told(0, run, []) is None
    trial(run, "1,1,2.0,0.5,0.5")
    assert judged.told(0, run, []) == "2\n"
    assert judged.told(0, run, []) is None
    trial(run, "1,1,2.0,0.5,0.5", "2,2,1.0,0.25,0.5")
    assert judged.told(0, run, []) == "-2\n"
    assert judged.told(0, run, []) is None
    assert listens.shown == [((0.5,), []), ((0.5, 0.25), [])]


def test_a_trial_that_goes_on_after_a_kill_is_judged_where_it_had_come_to(tmp_path: Path):
    """Not again where it was let on before; what it trains again comes to the same."""
    run = trial(tmp_path / "a", "1,1,2.0,0.5,0.5", "2,2,1.0,0.25,0.5")
    listens = Listens(False)
    judged = pruning(listens)
    assert judged.begun(4, run) == "2\n"
    assert judged.told(4, run, []) == "-2\n"
    assert [scores for scores, _ in listens.shown] == [(0.5, 0.25)]


@pytest.mark.parametrize("status", ["pruned", "interrupted"])
def test_a_verdict_stands_of_a_trial_that_was_copied(tmp_path: Path, status: str):
    """Its process, which says whether it is of this sweep, is told to end where it was ended; others are judged."""
    run = trial(tmp_path / "a", "1,1,2.0,0.5,0.5", "2,2,1.0,0.25,0.5", status=status)
    judged = pruning(Listens(True))
    pruned = status == "pruned"
    assert judged.begun(4, run) == ("-2\n" if pruned else "2\n")
    assert judged.told(4, run, []) == (None if pruned else "3\n")


def test_a_pruned_trial_without_its_curve_is_judged_again(tmp_path: Path):
    """A line that names no epoch of its would leave it waiting for ever."""
    run = trial(tmp_path / "a", status="pruned")
    assert pruning(Listens()).begun(4, run) == "1\n"


def test_others_are_those_before_as_they_stand(tmp_path: Path):
    """Finished, pruned, failed on the way, not begun; each as its metrics.csv tells."""
    rows = ("1,1,2.0,0.5,0.5", "2,2,1.0,0.75,0.5")
    before = [
        trial(tmp_path / "a", *rows, status="finished"),
        trial(tmp_path / "b", rows[0], status="pruned"),
        trial(tmp_path / "c", rows[0], status="failed"),
        tmp_path / "d",
    ]
    listens = Listens(True)
    judged = pruning(listens)
    run = trial(tmp_path / "e", rows[0])
    judged.begun(4, run)
    judged.told(4, run, before)
    ((_, others),) = listens.shown
    assert others == [Curve((0.5, 0.75), finished=True), Curve((0.5,)), Curve((0.5,)), Curve(())]
    assert others[0].best_until(1) == 0.5
    assert others[0].best_until(9) == 0.75


@pytest.mark.parametrize(
    ("select", "scores"),
    [
        ("accuracy", (float("-inf"), 0.5, 0.5, 0.25)),
        ("balanced", (float("-inf"), 0.4, 0.4, 0.2)),
        ("loss", (float("-inf"), -2.0, -2.0, -1.0)),
    ],
)
def test_scores_are_by_what_epochs_are_selected_by(tmp_path: Path, select: str, scores: tuple[float, ...]):
    """Of validation alone; a probe's row is no epoch's, and epochs without validation have the last one's."""
    run = trial(tmp_path / "a", "0,0,3.0,0.1,0.1", "1,1,,,", "2,2,2.0,0.5,0.4", "3,3,,,", "4,4,1.0,0.25,0.2")
    listens = Listens(True)
    judged = pruning(listens, select)
    judged.begun(0, run)
    judged.told(0, run, [])
    assert listens.shown == [(scores, [])]


def test_a_damaged_file_is_no_verdict(tmp_path: Path):
    """The trial's own process writes it anew."""
    run = trial(tmp_path / "a", "1,1,2.0,0.5,0.5")
    (run / "metrics.csv").write_bytes(b"epoch,val_accuracy\n1,x\n")
    judged = pruning(Listens())
    judged.begun(0, run)
    assert judged.told(0, run, []) is None


@pytest.mark.parametrize(
    ("verdict", "told"),
    [
        (None, "must say True or False of a trial, not None"),
        (1, "must say True or False of a trial, not 1"),
        (ZeroDivisionError("no others"), r"failed to judge a trial: ZeroDivisionError\('no others'\)"),
    ],
)
def test_a_pruner_that_breaks_the_rules_is_named(tmp_path: Path, verdict: Any, told: str):
    """As it is the plugin's fault."""
    run = trial(tmp_path / "a", "1,1,2.0,0.5,0.5")
    judged = pruning(Listens(verdict))
    judged.begun(0, run)
    with pytest.raises(PluginError, match=told) as caught:
        judged.told(0, run, [])
    assert "penguin" in str(caught.value)


def test_a_builder_that_refuses_its_options_is_wrong_usage():
    """It is the user who chose them."""

    def auk(*, share: int = 3) -> Any:
        raise ValueError("share must be odd")

    with pytest.raises(UsageError, match="does not accept share=4: share must be odd"):
        Pruning(entry_of("pruners", auk), {"share": 4}, "accuracy")


# Trains by reading lines: a real trial's session, its files and its leash, without torch.
_LEASHED = """
    out.mkdir(exist_ok=True)
    (out / "config.toml").write_text("")
    rows, told, until, summary = [], "", 0, {"status": "finished"}
    for epoch in range(1, 6):
        accuracy = float(settings["model.p"]) * epoch
        rows.append(f"{epoch},{accuracy}")
        new = out / "metrics.new"
        new.write_text("epoch,val_accuracy\\n" + "\\n".join(rows) + "\\n")
        new.rename(out / "metrics.csv")
        while epoch < 5 and abs(until) <= epoch:
            if until != -epoch:
                told = sys.stdin.readline()
                if not told:
                    sys.exit(143)
                until = int(told)
            if until == -epoch:
                text = json.dumps({"status": "pruned", "epochs": epoch, "val_accuracy": accuracy})
                (out / "summary.json").write_text(text)
                sys.exit(0)
"""


class AboveAll:
    """Keeps a trial that is at least as good as the best of those that came as far."""

    def keeps(self, scores: Sequence[float], others: Sequence[Curve]) -> bool:
        there = [other.best_until(len(scores)) for other in others if len(other.scores) >= len(scores)]
        return len(scores) < 2 or max(scores) >= max(there, default=0.0)


class Listed:
    """Trials with these settings; it remembers what it was told."""

    def __init__(self, *values: float) -> None:
        self.values, self.count, self.heard = values, len(values), []

    def name(self, number: int) -> str:
        return f"trial-{number}"

    def ask(self, number: int) -> dict[str, Any]:
        return {"model.p": self.values[number]}

    def tell(self, outcome: Outcome) -> None:
        self.heard.append((outcome.number, outcome.score, outcome.reached))


def runs_in(path: Path, plan: Listed, jobs: int = 1) -> Runs:
    folder = SweepFolder(path, {"kind": "search"}, BASE)
    folder.open()
    return Runs(folder, plan, quick(_LEASHED), jobs, pruning=pruning(AboveAll()))


def told(outcomes: Sequence[Outcome]) -> list[tuple[str, str, int | None]]:
    return [(run.name, run.status, run.summary.get("epochs")) for run in outcomes]


EXPECTED = [("trial-0", "finished", None), ("trial-1", "pruned", 2), ("trial-2", "finished", None)]


def test_a_sweep_ends_trials_and_keeps_them_so(tmp_path: Path):
    """Called again, a pruned trial is not tried again; the searcher hears how far it came."""
    plan = Listed(0.1, 0.05, 0.15)
    outcomes = list(runs_in(tmp_path / "s", plan).carry_out())
    assert told(outcomes) == EXPECTED
    assert [run.document()["status"] for run in outcomes] == ["finished", "pruned", "finished"]
    assert plan.heard == [(0, 0.5, 0.5), (1, None, 0.1), (2, 0.75, 0.75)]
    again = list(runs_in(tmp_path / "s", Listed(0.1, 0.05, 0.15)).carry_out())
    assert told(again) == EXPECTED
    assert all(run.was_finished for run in again)
    assert read_sweep(tmp_path / "s").names == ["trial-0", "trial-1", "trial-2"]


def test_a_sweep_that_is_left_midway_prunes_the_same(tmp_path: Path):
    """Its processes end with it, and what they were not told they are told when it goes on."""
    runs = runs_in(tmp_path / "s", Listed(0.1, 0.05, 0.15))
    with closing(runs.carry_out()) as outcomes:
        next(outcomes)
    runs.folder.keep("trial-1", {"model.p": 0.05})
    trial(tmp_path / "s/trial-1", status="interrupted")
    assert told(list(runs_in(tmp_path / "s", Listed(0.1, 0.05, 0.15)).carry_out())) == EXPECTED


def test_a_pruned_trial_of_another_share_stays_pruned(tmp_path: Path):
    """Though nothing that is here is better: what was is in the other share's folder."""
    made = list(runs_in(tmp_path / "other", Listed(0.1, 0.05)).carry_out())
    layers = [Layer("test", layer) for layer in (BASE.to_dict(), {"model": {"p": 0.05}})]
    RunDirectory(made[1].directory).write_config(Config.from_layers(layers))
    runs = runs_in(tmp_path / "s", Listed(0.01, 0.07))
    shutil.copytree(made[1].directory, tmp_path / "s/trial-1")
    expected = [("trial-0", "finished", None), ("trial-1", "pruned", 2)]
    assert told(made) == told(list(runs.carry_out())) == expected
    assert read_sweep(tmp_path / "s").runs == [{"model.p": 0.01}, {"model.p": 0.05}]


def test_several_at_a_time_are_let_on_and_come_to_their_end(tmp_path: Path):
    """Each hears its own lines; the first, which has none before it, always finishes."""
    outcomes = list(runs_in(tmp_path / "s", Listed(0.1, 0.1, 0.1, 0.1), jobs=2).carry_out())
    assert sorted(run.status for run in outcomes) == ["finished"] * 4
