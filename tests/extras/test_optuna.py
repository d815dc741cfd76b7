"""Optuna's sampler as a searcher: it learns, goes on without pickling, and its file is read by others."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from quick_runs import quick

import zoo
import zoo.testing
from zoo.sweeps import asking
from zoo.sweeps.space import Choices, Range

pytestmark = pytest.mark.extras

SPACE = {"model.act": Choices(("relu", "gelu")), "optimizer.lr": Range(1e-4, 1e-1, log=True)}


class TestOptuna(zoo.testing.PluginContract):
    """The first-party searcher of Optuna."""

    plugin = "optuna"


def score_of(settings: dict[str, Any]) -> float:
    """Best with gelu and a rate of 0.01."""
    return -abs(math.log10(settings["optimizer.lr"]) + 2) + (settings["model.act"] == "gelu")


def searched(trials: int, seed: int, **options: Any) -> list[dict[str, Any]]:
    from zoo_optuna.searchers import TPE

    found, asked = TPE(SPACE, seed, **options), []
    for number in range(trials):
        asked.append(found.ask(number))
        found.tell(number, asked[-1], score_of(asked[-1]))
    return asked


def test_it_learns_from_what_it_is_told():
    """Its later trials are better than its first, random ones, over several seeds."""
    gains = []
    for seed in range(3):
        scores = [score_of(settings) for settings in searched(30, seed)]
        gains.append(sum(scores[10:]) / 20 - sum(scores[:10]) / 10)
    assert sum(gains) / 3 > 0.3


def test_one_that_is_built_anew_and_told_the_same_goes_on_with_the_same():
    """Nothing is kept between: the seed, the number and what was told say it all."""
    from zoo_optuna.searchers import TPE

    asked = searched(14, 5)
    again = TPE(SPACE, 5)
    for number in reversed(range(13)):  # in whichever order they ended
        again.tell(number, asked[number], score_of(asked[number]))
    assert again.ask(13) == asked[13]
    assert searched(3, 6) != asked[:3]


def test_a_sweep_s_trials_are_in_a_file_that_optuna_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Each once, however often the sweep is called; one that failed is there as such."""
    import optuna

    monkeypatch.chdir(tmp_path)
    program = quick("accuracy = float(settings['model.p'])\nif accuracy > 0.4: sys.exit('zoo: too much')")
    monkeypatch.setattr(asking, "_PROGRAM", program)
    arguments: dict[str, Any] = {"space": {"model.p": "(0,0.6)"}, "searcher": "optuna/tpe", "trials": 6, "out": "s"}
    first = zoo.sweep("mlp", **arguments)
    second = zoo.sweep("mlp", **arguments)
    assert [run.settings for run in first.runs] == [run.settings for run in second.runs]
    study = optuna.load_study(study_name="zoo", storage="sqlite:///s/optuna.db")
    trials = {trial.user_attrs["zoo_trial"]: trial for trial in study.get_trials()}
    assert len(study.get_trials()) == len(trials) == 6
    for run in second.runs:
        assert trials[run.number].params == run.settings
        assert trials[run.number].value == run.score
        assert trials[run.number].state.name == ("COMPLETE" if run.finished else "FAIL")


def test_options_are_the_searcher_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """``--set search.startup=2``; a wrong one is told."""
    assert searched(4, 0, startup=1) != searched(4, 0)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(zoo.UsageError, match="startup must be at least 1"):
        zoo.sweep("mlp", space={"model.p": "[0.1]"}, searcher="optuna/tpe", options={"search.startup": 0}, out="s")


def test_the_median_s_verdicts_are_optuna_s():
    """Worse than the median of the finished trials at that epoch, when five of them have come to their end."""
    from zoo_optuna.pruners import Median, Percentile

    from zoo.sweeps.pruning import Curve

    others = [Curve((share, share + 0.1), finished=True) for share in (0.1, 0.2, 0.3, 0.4, 0.5)]
    assert [Median().keeps([own], others) for own in (0.29, 0.3, 0.31)] == [False, True, True]
    assert not Median().keeps([0.31, 0.2], others)  # its best is below the median of the second epoch, 0.4
    assert Median().keeps([0.0], others[:4])
    assert not Median(startup=1).keeps([0.0], others[:4])
    assert Median().keeps([0.0], [Curve(other.scores) for other in others])  # none of them came to its end
    assert Median(warmup=2).keeps([0.0], others)
    assert [Percentile().keeps([own], others) for own in (0.39, 0.4)] == [False, True]
    assert Median().keeps([float("-inf")], others)  # not validated yet


def test_optuna_prunes_a_sweep_of_its_own_proposals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A real search, two epochs a trial: what is pruned is below the median of the finished ones at that epoch."""
    monkeypatch.chdir(tmp_path)
    found = zoo.sweep(
        "mlp", epochs=2, threads=1, batch_size=32, options={"data.limit": 64, "prune.startup": 1},
        space={"optimizer.lr": "[1e-2,1e-7]"}, searcher="grid", prune="optuna/median", out="s",
    )  # fmt: skip
    assert [run.status for run in found.runs] == ["finished", "pruned"]
    assert found.runs[1].summary["epochs"] == 1
