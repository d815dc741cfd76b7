"""``zoo.sweep``: the same as the command, from Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from quick_runs import quick

import zoo
from zoo.errors import UsageError, ZooError
from zoo.sweeps import asking

PASSED = """
    out.mkdir(parents=True)
    (out / "given").write_text(" ".join(sys.argv[1:]))
    accuracy = 0.5 + float(settings.get("model.p", settings.get("train.seed", 0))) / 10
"""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(asking, "_PROGRAM", quick(PASSED))


def test_a_search_returns_its_trials_and_the_best():
    """With what each was given; its page is written."""
    told: list[str] = []
    found = zoo.sweep(
        "mlp",
        epochs=3,
        augment=["shift"],
        space={"model.p": "[0.1,0.5]"},
        searcher="grid",
        options={"data.limit": 9, "search.points": 2},
        out="s",
        ended=lambda outcome: told.append(outcome.name),
    )
    assert told == [run.name for run in found.runs] == ["trial-000", "trial-001"]
    assert found.best is not None
    assert (found.best.settings, found.best.score) == ({"model.p": 0.5}, 0.55)
    given = (found.best.directory / "given").read_text()
    for text in ('--set=model.name="mlp"', "--set=train.epochs=3", "--set=data.limit=9", "augment.names=["):
        assert text in given
    assert "best validation accuracy" in (found.directory / "report.html").read_text()
    assert "iframe" in found._repr_html_()
    assert found.document()["best"] == "trial-001"


def test_seeds_return_their_mean():
    """And go on: what is finished is not trained again."""
    zoo.sweep("mlp", seeds=2, out="s")
    found = zoo.sweep("mlp", seeds=3, out="s")
    assert [run.was_finished for run in found.runs] == [True, True, False]
    assert found.mean["val_accuracy"].value == pytest.approx(0.6)
    assert found.best is None


def test_a_share_is_made_alone():
    """Every second seed from the second on."""
    found = zoo.sweep("mlp", seeds=4, share="2/2", out="s")
    assert [run.settings["train.seed"] for run in found.runs] == [1, 3]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "nothing differs": ({}, "Give seeds, folds or space"),
    "two differ": ({"seeds": 2, "folds": 2}, "one alone"),
    "one seed": ({"seeds": 1}, "must be at least 2"),
    "an object": ({"seeds": 2, "optimizer": print}, "optimizer must be a registered name"),
    "a misspelt argument": ({"seeds": 2, "epoch": 1}, "Did you mean 'epochs'"),
    "no space": ({"space": {"model.p": "0.5"}}, "no space that zoo knows"),
    "a pruner without a search": ({"seeds": 2, "prune": "halving"}, "are a search's; leave them out"),
    "a searcher without a search": ({"folds": 2, "searcher": "grid"}, "are a search's; leave them out"),
    "trials without a search": ({"seeds": 2, "trials": 3}, "are a search's; leave them out"),
    "a searcher's options without a search": ({"seeds": 2, "options": {"search.points": 3}}, "are a search's"),
    "a pruner's options without a search": ({"folds": 2, "options": {"prune.first": 2}}, "are a search's"),
    "no share": ({"seeds": 2, "share": "0/2"}, "the share '0/2' is not I/K"),
    "a section alone": ({"seeds": 2, "options": {"search": 3}}, "is no key such as 'model.p'"),
    "a pruner's options without it": (
        {"space": {"model.p": "(0,0.5)"}, "options": {"prune.first": 2}},
        "a pruner's; give --prune NAME",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_told_in_a_line(case: str):
    """Before anything is begun."""
    arguments, text = BAD[case]
    with pytest.raises(UsageError, match=text):
        zoo.sweep("mlp", out="s", **arguments)
    assert not Path("s").exists()


def test_a_refused_first_run_is_an_error(monkeypatch: pytest.MonkeyPatch):
    """With its own words and exit code."""
    monkeypatch.setattr(asking, "_PROGRAM", quick("print('zoo: no', file=sys.stderr); sys.exit(3)"))
    with pytest.raises(ZooError, match=r"^no$") as caught:
        zoo.sweep("mlp", seeds=2, out="s")
    assert caught.value.exit_code == 3
