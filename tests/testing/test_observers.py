"""The contract of observers and recipes, and which faults it finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from entry_of import entry_of
from fake_distributions import FakeSite

from zoo.registry import Entry
from zoo.testing import ContractError
from zoo.testing import observers as contract


class Sound:
    """Keeps what it is told."""

    def epoch_finished(self, epoch: Mapping[str, Any]) -> None:
        self.told = f"{epoch['val_loss']}"

    def run_failed(self, run: Mapping[str, Any], error: Mapping[str, Any]) -> None:
        self.told = error["message"]


class Nothing:
    """Has no hook."""


class WantsMore:
    """Asks for what the hook does not have."""

    def epoch_finished(self, epoch: Mapping[str, Any], model: Any) -> None:
        """Never called."""


class Formats:
    """Takes every measure for a number."""

    def epoch_finished(self, epoch: Mapping[str, Any]) -> None:
        self.told = f"{epoch['val_loss']:.3f}"


class Writes:
    """Changes what it is given."""

    def run_started(self, run: dict[str, Any]) -> None:
        run["mine"] = True


@pytest.mark.parametrize("check", contract.OBSERVER_CHECKS.values(), ids=lambda check: check.__name__)
def test_a_sound_observer_passes(check: Callable[[Any], Any]) -> None:
    """It may name as few hooks and arguments as it likes."""
    check(entry_of("observers", Sound))


@pytest.mark.parametrize(
    ("check", "kind", "seen"),
    [
        (contract.check_hooks, Nothing, "a Nothing with none"),
        (contract.check_hooks, WantsMore, "epoch_finished to take some of run, epoch; saw model"),
        (contract.check_run, Formats, "epoch_finished to return; saw TypeError"),
        (contract.check_run, Writes, "run_started to return; saw TypeError"),
    ],
)
def test_a_faulty_observer_is_found(check: Callable[[Any], Any], kind: type, seen: str) -> None:
    """Each fault has its own words, and two lines."""
    with pytest.raises(ContractError) as caught:
        check(entry_of("observers", kind))
    assert seen in str(caught.value)
    assert len(str(caught.value).splitlines()) == 2


def test_what_observers_are_told_here_is_what_a_run_tells() -> None:
    """The made-up run has the keys of a real one; the test of a real run's hooks holds the other end."""
    from zoo.records.directory import COLUMNS

    assert sorted(contract._epoch(1)) == sorted(COLUMNS)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[optimizer]\nname = 'torch/sgd'\nlr = 0.1\n", ""),
        ("[optimizer]\nname = 'torch/sgdd'\n", "Did you mean 'torch/sgd'"),
        ("[train]\nepoch = 5\n", "epochs"),
    ],
)
def test_a_recipe_is_read_and_all_its_names_looked_up(site: FakeSite, text: str, fault: str) -> None:
    """A misspelt key or name is found without a run."""
    package = site.path / "zoo_auk"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "quick.toml").write_text(text)
    entry = Entry("recipes", "quick", "zoo_auk:quick.toml", "Quick.", {}, True, "auk", "zoo-auk", "1.0")
    if fault:
        with pytest.raises(ValueError, match=fault):
            contract.check_recipe(entry)
    else:
        assert contract.check_recipe(entry) == "cnn/cnn_dropout"
