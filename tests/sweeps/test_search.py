"""A search and its searcher: what is proposed and heard, and a stranger's searcher that breaks the rules."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from entry_of import entry_of

from zoo.config import Config, Layer
from zoo.errors import PluginError, UsageError
from zoo.records.sweeps import read_sweep
from zoo.sweeps.asking import Asked
from zoo.sweeps.curves import Curve
from zoo.sweeps.runs import Outcome
from zoo.sweeps.search import TRIALS, Search, ranked
from zoo.sweeps.searching import Searched, search
from zoo.sweeps.space import Choices, Range

SPACE = {"model.p": Range(0.0, 0.5), "optimizer.lr": Choices((0.1, 0.01))}
PROPOSED = {"optimizer.lr": 0.1, "model.p": 0.25}


def outcome(number: int, score: float | None, **summary: Any) -> Outcome:
    told = {} if score is None else {"status": "finished", "val_accuracy": score}
    return Outcome(number, f"trial-{number:03}", PROPOSED, Path("nowhere"), {**told, **summary})


class Searcher:
    """Proposes what it was told to, and remembers what it heard."""

    def __init__(self, *proposals: Any, size: int | None = None) -> None:
        self.proposals, self.heard = proposals, []
        if size is not None:
            self.size = size

    def ask(self, number: int) -> Any:
        found = self.proposals[number]
        if isinstance(found, Exception):
            raise found
        return found

    def tell(self, number: int, settings: Mapping[str, Any], score: float | None) -> None:
        self.heard.append((number, settings, score))
        if number == 9:
            raise KeyError("no trial 9")


def searching(*proposals: Any, trials: int | None = None, size: int | None = None) -> Search:
    def penguin(space: Mapping[str, Any], seed: int) -> Searcher:
        searcher.given = (space, seed)
        return searcher

    searcher = Searcher(*proposals, size=size)
    search = Search(entry_of("searchers", penguin), {}, SPACE, seed=7, folder=Path(), trials=trials)
    assert searcher.given == (SPACE, 7)
    search.heard = searcher.heard
    return search


def test_what_is_proposed_comes_in_the_space_s_order_and_no_more_is_no_proposal():
    """A directory's settings must not hang on how a searcher builds its dictionaries."""
    search = searching(PROPOSED, None)
    assert list((search.ask(0) or {}).items()) == [("model.p", 0.25), ("optimizer.lr", 0.1)]
    assert search.ask(1) is None
    assert [search.name(number) for number in (0, 41, 1000)] == ["trial-000", "trial-041", "trial-1000"]


@pytest.mark.parametrize(
    ("trials", "size", "count"), [(None, None, TRIALS), (None, 6, 6), (3, 6, 3), (9, 6, 9), (3, None, 3)]
)
def test_the_number_of_trials_is_the_user_s_then_the_searcher_s(trials: int | None, size: int | None, count: int):
    """And twenty where nobody says."""
    assert searching(trials=trials, size=size).count == count


BROKEN = {
    "an exception": (ZeroDivisionError("no more"), r"failed to propose trial 0: ZeroDivisionError\('no more'\)"),
    "a key too few": ({"model.p": 0.1}, r"must propose values for model\.p, optimizer\.lr, not \{'model\.p': 0\.1\}"),
    "a key too many": ({**PROPOSED, "x": 1}, r"must propose values for model\.p, optimizer\.lr, not"),
    "no mapping": ([0.1, 0.25], r"must propose values for model\.p, optimizer\.lr, not \[0\.1, 0\.25\]"),
    "a text": ("model.p", "must propose values for"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_searcher_that_breaks_the_rules_is_named(case: str):
    """With its plugin, as it is the plugin's fault, in a line."""
    proposal, told = BROKEN[case]
    with pytest.raises(PluginError, match=told) as caught:
        searching(proposal).ask(0)
    assert "penguin" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_searcher_hears_scores_and_failures_with_settings_of_its_own():
    """A dictionary that it may keep and change; None where a run failed."""
    search = searching()
    for number, score in ((0, 0.5), (1, None)):
        search.tell(outcome(number, score))
    assert search.heard == [(0, PROPOSED, 0.5), (1, PROPOSED, None)]
    search.heard[0][1].clear()
    assert PROPOSED
    with pytest.raises(PluginError, match=r"failed to hear of trial 9: KeyError\('no trial 9'\)"):
        search.tell(outcome(9, 0.5))


def test_a_builder_that_refuses_its_options_is_wrong_usage():
    """It is the user who chose them."""

    def auk(space: Mapping[str, Any], *, points: int = 5) -> Searcher:
        raise ValueError("points must be odd")

    with pytest.raises(UsageError, match="does not accept points=4: points must be odd"):
        Search(entry_of("searchers", auk), {"points": 4}, SPACE, seed=0, folder=Path(), trials=None)


@pytest.mark.parametrize(
    ("summary", "score"),
    [
        ({"select": "accuracy", "val_accuracy": 0.75}, 0.75),
        ({"val_accuracy": 0.75}, 0.75),
        ({"select": "balanced", "val_accuracy": 0.75, "val_balanced_accuracy": 0.5}, 0.5),
        ({"select": "loss", "val_accuracy": 0.75, "val_loss": 0.25}, -0.25),
        ({"select": "accuracy"}, None),
        ({"select": "accuracy", "val_accuracy": None}, None),
        ({"val_accuracy": 0.75, "status": "interrupted"}, None),
    ],
)
def test_a_score_is_what_the_run_selects_its_epochs_by(summary: Mapping[str, Any], score: float | None):
    """Higher is better; none of a run that did not finish, or had no validation images."""
    assert Outcome(0, "it", {}, Path("nowhere"), {"status": "finished", **summary}).score == score


def test_the_best_come_first_equal_ones_in_their_order_and_failures_not_at_all():
    """So that the table says the same however many ran at a time."""
    trials = [outcome(0, 0.5), outcome(1, None), outcome(2, 0.75), outcome(3, 0.5), outcome(4, 0.0)]
    assert [trial.number for trial in ranked(trials[::-1])] == [2, 0, 3, 4]
    assert ranked([]) == []


class HearsCurves(Searcher):
    """One whose ``tell`` names the curve, too."""

    def tell(self, number: int, settings: Mapping[str, Any], score: float | None, curve: Curve | None = None) -> None:
        self.heard.append((number, score, curve))


def test_a_searcher_that_names_the_curve_gets_it(tmp_path: Path):
    """Of what came to its end, of what was pruned, and an empty one of what failed."""

    def penguin(space: Mapping[str, Any], seed: int) -> Searcher:
        return searcher

    searcher = HearsCurves()
    search = Search(entry_of("searchers", penguin), {}, SPACE, seed=7, folder=tmp_path, trials=None)
    for number, status in enumerate(["finished", "pruned", None]):
        run = tmp_path / f"trial-00{number}"
        run.mkdir()
        (run / "config.toml").touch()
        (run / "metrics.csv").write_text("epoch,val_accuracy,val_loss\n1,0.5,2.0\n2,0.25,1.0\n")
        summary = {"status": status, "select": "loss", "val_loss": 1.0} if status else {}
        (run / "summary.json").write_text(json.dumps(summary))
        search.tell(Outcome(number, run.name, PROPOSED, run, summary))
    assert searcher.heard == [
        (0, -1.0, Curve((-2.0, -1.0), finished=True)),
        (1, -1.0, Curve((-2.0, -1.0))),
        (2, None, Curve(())),
    ]


@pytest.mark.parametrize(
    ("address", "recorded"),
    [
        ("postgresql://zoo:s3c:r@t@host:5432/db", "postgresql://zoo:***@host:5432/db"),
        ("mysql+pymysql://zoo@host/db", "mysql+pymysql://zoo@host/db"),
        ("sqlite:///a:b@c.db", "sqlite:///a:b@c.db"),
        ("no address: a@b", "no address: a@b"),
    ],
)
def test_no_password_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, recorded: str):
    """The record and the page of a search are read by others than a database."""

    def penguin(space: Mapping[str, Any], seed: int, *, storage: str = "") -> Searcher:
        return Searcher()

    entry = entry_of("searchers", penguin)
    monkeypatch.setattr("zoo.sweeps.searching.registry", lambda: SimpleNamespace(find=lambda *_: entry))
    config = Config.from_layers([Layer("test", {"model": {"name": "mlp"}})])
    asked = Searched(["train.epochs=[1,2]"], "penguin", 1, {"storage": address})
    sweep = search(Asked(config, [], tmp_path / "s"), asked)
    sweep.runs.folder.given("trial-000", dict)
    assert read_sweep(tmp_path / "s").question["searcher"]["storage"] == recorded
