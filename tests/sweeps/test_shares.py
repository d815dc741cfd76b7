"""Shares of a sweep: machines that share nothing make other runs of it, which are put together afterwards."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from quick_runs import quick

from zoo.config import Config, Layer, nested
from zoo.errors import UsageError
from zoo.records.directory import RunDirectory
from zoo.records.sweeps import read_sweep
from zoo.sweeps.asking import share_of
from zoo.sweeps.folder import SweepFolder
from zoo.sweeps.runs import Outcome, Runs

TABLES: dict[str, Any] = {"model": {"name": "mlp/mlp"}, "train": {"epochs": 2}}


def config_of(settings: dict[str, Any], **tables: Any) -> Config:
    layers = [TABLES, tables, *(nested(key, value) for key, value in settings.items())]
    return Config.from_layers([Layer("test", layer) for layer in layers])


class Learns:
    """Proposes what hangs on what it was told: another share proposes something else for the same number."""

    count = 5

    def __init__(self) -> None:
        self.heard: list[int] = []

    def name(self, number: int) -> str:
        return f"trial-{number:03}"

    def ask(self, number: int) -> dict[str, Any]:
        return {"model.p": number / 10 + len(self.heard) / 1000}

    def tell(self, outcome: Outcome) -> None:
        self.heard.append(outcome.number)


# As a run's own process does, it looks at what is there, and says nothing anew of a finished run.
RUN = """
    if (out / "summary.json").exists():
        sys.exit("zoo: another run" if "epochs = 9" in (out / "config.toml").read_text() else 0)
    (out.parent / "trained").open("a").write(out.name + "\\n")
    accuracy = float(settings["model.p"])
"""


def made(path: Path, share: tuple[int, int] = (1, 1)) -> list[Outcome]:
    """Make a share of a sweep; each run's configuration is written as a run writes it."""
    folder = SweepFolder(path, {"kind": "search"}, config_of({}))
    folder.open()
    outcomes = []
    for outcome in Runs(folder, Learns(), quick(RUN), first=share[0] - 1, step=share[1]).carry_out():
        if outcome.finished and not (outcome.directory / "config.toml").read_text():
            RunDirectory(outcome.directory).write_config(config_of(dict(outcome.settings)))
        outcomes.append(outcome)
    return outcomes


@pytest.mark.parametrize("text", ["0/2", "3/2", "1/1", "1", "a/b", "1/2/3", ""])
def test_what_is_no_share_is_told(text: str):
    """With what one is."""
    assert share_of("2/3") == (2, 3)
    with pytest.raises(UsageError, match=r"is not I/K, such as 1/3"):
        share_of(text)


def test_shares_are_put_together_by_copying_their_runs(tmp_path: Path):
    """Each keeps what it was made with, whatever would be proposed now; what is missing is made."""
    first, second = made(tmp_path / "a", (1, 2)), made(tmp_path / "b", (2, 2))
    assert [run.name for run in first] == ["trial-000", "trial-002", "trial-004"]
    assert [run.name for run in second] == ["trial-001", "trial-003"]
    shutil.copytree(tmp_path / "b/trial-001", tmp_path / "a/trial-001")
    whole = made(tmp_path / "a")
    assert [run.finished for run in whole] == [True] * 5
    assert whole[1].settings == second[0].settings != {"model.p": 0.101}
    assert whole[1].summary == second[0].summary
    assert (tmp_path / "a/trained").read_text().split() == [*(run.name for run in first), "trial-003"]
    assert sorted(read_sweep(tmp_path / "a").names) == [run.name for run in whole]
    assert all(run.was_finished for run in made(tmp_path / "a"))


def test_a_run_of_something_else_is_not_taken_for_a_share_s(tmp_path: Path):
    """Its process says so; it is told as a failure, however finished it is, each time, until it is moved away."""
    made(tmp_path / "a", (1, 2))
    made(tmp_path / "b", (2, 2))
    other = RunDirectory(tmp_path / "b/trial-001")
    other.write_config(config_of({"model.p": 0.1}, train={"epochs": 9}))
    shutil.copytree(other.path, tmp_path / "a/trial-001")
    for _ in range(2):
        whole = made(tmp_path / "a")
        assert [run.status for run in whole] == ["finished", "failed", "finished", "finished", "finished"]
        assert whole[1].messages == "zoo: another run"
        assert "trial-001" not in read_sweep(tmp_path / "a").names
    shutil.rmtree(tmp_path / "a/trial-001")
    assert all(run.finished for run in made(tmp_path / "a"))
