"""Optuna's sampler as a searcher: it learns, goes on without pickling, and its file is read by others."""

from __future__ import annotations

import math
import subprocess
import sys
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


def test_a_pruned_trial_is_one_in_the_file_with_its_curve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """So that optuna-dashboard shows it as such; a finished one's curve is there, too."""
    import optuna

    from zoo.sweeps.curves import Curve

    monkeypatch.chdir(tmp_path)
    from zoo_optuna.searchers import TPE

    found = TPE(SPACE, 0, tmp_path)
    for number, curve in enumerate([Curve((-math.inf, 0.5, 0.25), finished=True), Curve((0.125,))]):
        for _ in range(2):
            found.tell(number, found.ask(number), max(curve.scores), curve)
    found.tell(2, found.ask(2), None, Curve(()))
    trials = optuna.load_study(study_name="zoo", storage="sqlite:///optuna.db").get_trials()
    assert [(trial.state.name, trial.value, trial.intermediate_values) for trial in trials] == [
        ("COMPLETE", 0.5, {2: 0.5, 3: 0.25}),
        ("PRUNED", 0.125, {1: 0.125}),
        ("FAIL", None, {}),
    ]


def test_pruned_trials_are_learnt_from_as_what_is_worse(tmp_path: Path):
    """Also one that was better than all when it was ended; what follows is the same again, whoever asks."""
    from zoo_optuna.searchers import TPE

    from zoo.sweeps.curves import Curve

    def asked(pruned: bool) -> list[dict[str, Any]]:
        searcher, given = TPE(SPACE, 1, startup=3), []
        for number in range(8):
            given.append(searcher.ask(number))
            score = score_of(given[-1])
            searcher.tell(number, given[-1], score, Curve((score,), finished=not pruned or score < 0))
        return given

    assert asked(pruned=True) == asked(pruned=True)
    assert asked(pruned=True) != asked(pruned=False)


def test_a_storage_of_one_s_own_is_learnt_from(tmp_path: Path):
    """Two searchers that hear of half of the trials each propose what one proposes that hears of all."""
    from zoo_optuna.searchers import TPE

    where = {"storage": f"sqlite:///{tmp_path / 'all.db'}", "study": "rates"}
    alone, halves, given = TPE(SPACE, 2), [TPE(SPACE, 2, **where) for _ in range(2)], []
    for number in range(14):
        given.append(alone.ask(number))
        assert halves[number % 2].ask(number) == given[-1]
        for searcher in (alone, halves[number % 2]):
            searcher.tell(number, given[-1], score_of(given[-1]))
    assert TPE(SPACE, 2, **where).ask(14) == alone.ask(14) != TPE(SPACE, 2).ask(14)


def test_trials_of_another_sweep_in_one_study_count_beside_one_s_own(tmp_path: Path):
    """Though their numbers are the same: all are in the study, each once, and all are learnt from."""
    import optuna
    from zoo_optuna.searchers import TPE

    where = {"storage": f"sqlite:///{tmp_path / 'all.db'}", "study": "rates", "startup": 6}
    searched(6, 1, **where)
    second, alone = TPE(SPACE, 2, **where), TPE(SPACE, 2, startup=6)
    for number in range(6):
        settings = alone.ask(number)
        for _ in range(2):  # as one that goes on tells again
            second.tell(number, settings, score_of(settings))
        alone.tell(number, settings, score_of(settings))
    study = optuna.load_study(study_name="rates", storage=where["storage"])
    assert sorted(trial.user_attrs["zoo_trial"] for trial in study.get_trials()) == sorted([*range(6)] * 2)
    assert second.ask(6) != alone.ask(6)
    again = TPE(SPACE, 2, **where)  # in another folder, to which no run was copied
    assert again.ask(6) == second.ask(6)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"storage": "sqlite:///all.db"}, r"name this one's with --set search\.study=NAME"),
        (
            {"storage": "sqlite:///no/such/folder/all.db", "study": "a"},
            r"search\.storage cannot be opened: .*unable to",
        ),
        ({"storage": "nonsense", "study": "a"}, r"search\.storage cannot be opened: "),
        ({"storage": "sqlite:///all.db", "study": "another"}, r"'another' holds another search; give another search"),
    ],
)
def test_a_storage_that_does_not_serve_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], told: str
):
    """In a line, before anything is trained."""
    from zoo_optuna.searchers import TPE

    monkeypatch.chdir(tmp_path)
    other = TPE({"model.p": Range(0.0, 0.5)}, 0, storage="sqlite:///all.db", study="another")
    other.tell(0, other.ask(0), 0.5)
    with pytest.raises(zoo.UsageError, match=told) as caught:
        zoo.sweep(
            "mlp", space={"optimizer.lr": "(0.1,1)"}, searcher="optuna/tpe", out="s",
            options={f"search.{key}": value for key, value in options.items()},
        )  # fmt: skip
    assert len(str(caught.value).splitlines()) == 1
    assert not Path("s").exists()


TAKES_PART = """
import sys
sys.path[:0] = [sys.argv[1]]
from quick_runs import quick
import zoo
from zoo.sweeps import asking
asking._PROGRAM = quick("time.sleep(0.1)\\naccuracy = float(settings['model.p'])")
found = zoo.sweep("mlp", space={"model.p": "(0,0.6)"}, searcher="optuna/tpe", trials=8, out="s")
print(*[f"{run.number} {run.settings['model.p']} {run.score}" for run in found.runs], sep="\\n")
print("made", sum(not run.was_finished for run in found.runs), file=sys.stderr)
"""


def test_two_processes_take_part_in_one_study(tmp_path: Path):
    """Each trial is made once, and is in the study once; both tell the same of all."""
    import optuna

    command = [sys.executable, "-c", TAKES_PART, str(Path(__file__).parents[1] / "support")]
    both = [
        subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    (out, err), (other, told) = (process.communicate(timeout=200) for process in both)
    assert [process.returncode for process in both] == [0, 0], err + told
    assert out == other
    assert len(out.splitlines()) == 8
    assert sum(int(text.split()[-1]) for text in (err, told)) == 8
    trials = optuna.load_study(study_name="zoo", storage=f"sqlite:///{tmp_path}/s/optuna.db").get_trials()
    shown = {f"{trial.user_attrs['zoo_trial']} {trial.params['model.p']} {trial.value}" for trial in trials}
    assert len(trials) == 8
    assert shown == set(out.splitlines())


def test_options_are_the_searcher_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """``--set search.startup=2``; a wrong one is told."""
    assert searched(4, 0, startup=1) != searched(4, 0)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(zoo.UsageError, match="startup must be at least 1"):
        zoo.sweep("mlp", space={"model.p": "[0.1]"}, searcher="optuna/tpe", options={"search.startup": 0}, out="s")


def test_the_median_s_verdicts_are_optuna_s():
    """Worse than the median of the finished trials at that epoch, when five of them have come to their end."""
    from zoo_optuna.pruners import Median, Percentile

    from zoo.sweeps.curves import Curve

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
