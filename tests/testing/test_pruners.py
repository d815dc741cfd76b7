"""The contract of pruners, and which faults it finds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from entry_of import entry_of
from zoo_search.pruners import Halving

from zoo.sweeps.curves import Curve
from zoo.testing import ContractError
from zoo.testing import pruners as contract


class Sound:
    """Ends what is worse than half of the others; each fault below changes one thing of it."""

    def keeps(self, scores: Sequence[float], others: Sequence[Curve]) -> Any:
        there = [other.best_until(len(scores)) for other in others if len(other.scores) >= len(scores)]
        return sum(score > max(scores) for score in there) <= len(there) / 2


class Alone(Sound):
    """Does not think of a trial without others."""

    def keeps(self, scores: Sequence[float], others: Sequence[Curve]) -> Any:
        return None if not others else super().keeps(scores, others)


class Counts(Sound):
    def keeps(self, scores: Sequence[float], others: Sequence[Curve]) -> Any:
        return len(others)


class UpsideDown(Sound):
    """Takes higher for worse."""

    def keeps(self, scores: Sequence[float], others: Sequence[Curve]) -> Any:
        there = [other.best_until(len(scores)) for other in others if len(other.scores) >= len(scores)]
        return sum(score < max(scores) for score in there) <= len(there) / 2


class Remembers(Sound):
    """Ends whatever it sees the second time."""

    def __init__(self) -> None:
        self.calls = 0

    def keeps(self, scores: Sequence[float], others: Sequence[Curve]) -> Any:
        self.calls += 1
        return self.calls % 2 == 1


def entry(pruner: Callable[..., Any]) -> Any:
    return entry_of("pruners", pruner)


@pytest.mark.parametrize("check", contract.CHECKS.values(), ids=lambda check: check.__name__)
@pytest.mark.parametrize("pruner", [Sound, Halving], ids=lambda pruner: pruner.__name__)
def test_a_sound_pruner_passes(check: Callable[[Any], Any], pruner: Callable[..., Any]) -> None:
    """And the first-party one."""
    check(entry(pruner))


@pytest.mark.parametrize(
    ("pruner", "check", "seen"),
    [
        (Alone, contract.check_verdicts, "None after epoch 1, beside 0 others"),
        (Counts, contract.check_verdicts, "0 after epoch 1, beside 0 others"),
        (UpsideDown, contract.check_best_goes_on, "False after epoch 1"),
        (Remembers, contract.check_repetition, "after epoch 1"),
    ],
)
def test_a_fault_is_found(pruner: Callable[..., Any], check: Callable[[Any], None], seen: str) -> None:
    """With what was seen, and in two lines."""
    with pytest.raises(ContractError) as caught:
        check(entry(pruner))
    assert seen in str(caught.value)
    assert len(str(caught.value).splitlines()) == 2
