"""The contract of searchers, and which faults it finds."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from entry_of import entry_of
from zoo_search.searchers import Grid, Random

from zoo.sweeps.space import Domain
from zoo.testing import ContractError
from zoo.testing import searchers as contract

Space = Mapping[str, Domain]
_CALLS = itertools.count()


class Sound:
    """Draws by the seed and the trial's number; each fault below changes one thing of it."""

    def __init__(self, space: Space, seed: int) -> None:
        self.space, self.seed, self.told = space, seed, []

    def ask(self, number: int) -> Any:
        draws = random.Random(f"{self.seed}/{number}")
        return {key: domain.at(draws.random()) for key, domain in self.space.items()}

    def tell(self, number: int, settings: Mapping[str, Any], score: float | None) -> None:
        self.told.append((settings, score))


class NearTheBest(Sound):
    """Repeats the best so far, as it heard of it."""

    def ask(self, number: int) -> Any:
        heard = [(score, place) for place, (_, score) in enumerate(self.told) if score is not None]
        return dict(self.told[max(heard)[1]][0]) if heard else super().ask(number)


class Empty(Sound):
    def ask(self, number: int) -> None:
        return None


class LeavesOut(Sound):
    def ask(self, number: int) -> Any:
        return {key: value for key, value in super().ask(number).items() if key != "model.p"}


class Adds(Sound):
    def ask(self, number: int) -> Any:
        return {**super().ask(number), "train.epochs": 3}


class Lists(Sound):
    def ask(self, number: int) -> Any:
        return list(super().ask(number).items())


class Invents(Sound):
    """A choice that is none of the list."""

    def ask(self, number: int) -> Any:
        return {**super().ask(number), "model.p": 0.3}


class Exceeds(Sound):
    """Only in the last trial."""

    def ask(self, number: int) -> Any:
        return {**super().ask(number), "optimizer.lr": 0.11 if number == 7 else 0.01}


class Halves(Sound):
    """Half an image is none."""

    def ask(self, number: int) -> Any:
        return {**super().ask(number), "train.batch_size": 8.5}


class Numbers(Sound):
    """What is no whole number in type, though it is in value."""

    def ask(self, number: int) -> Any:
        return {**super().ask(number), "train.batch_size": 16.0}


class Unseeded(Sound):
    def ask(self, number: int) -> Any:
        return {**super().ask(number), "optimizer.lr": 1e-3 + 1e-6 * next(_CALLS)}


class Ends(Sound):
    """After two trials, or after three when it is built again."""

    def __init__(self, space: Space, seed: int) -> None:
        super().__init__(space, seed)
        self.size = 2 + next(_CALLS) % 2

    def ask(self, number: int) -> Any:
        return super().ask(number) if number < self.size else None


def entry(searcher: Callable[..., Any]) -> Any:
    return entry_of("searchers", searcher)


@pytest.mark.parametrize("check", contract.CHECKS.values(), ids=lambda check: check.__name__)
@pytest.mark.parametrize("searcher", [Sound, NearTheBest, Grid, Random], ids=lambda searcher: searcher.__name__)
def test_a_sound_searcher_passes(check: Callable[[Any], Any], searcher: Callable[..., Any]) -> None:
    """One that listens, too, and the first-party ones."""
    check(entry(searcher))


@pytest.mark.parametrize(
    ("searcher", "seen"),
    [
        (Empty, "expected at least one proposal; saw None"),
        (LeavesOut, "for trial 0"),
        (Adds, "'train.epochs': 3"),
        (Lists, "saw [('model.p', "),
        (Invents, "'model.p': 0.3"),
        (Exceeds, "for trial 7"),
        (Halves, "'train.batch_size': 8.5"),
        (Numbers, "'train.batch_size': 16.0"),
    ],
)
def test_a_proposal_outside_the_space_is_found(searcher: Callable[..., Any], seen: str) -> None:
    """With the trial, and in two lines."""
    with pytest.raises(ContractError) as caught:
        contract.check_proposals(entry(searcher))
    assert seen in str(caught.value)
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(("searcher", "trial"), [(Unseeded, 0), (Ends, 2)])
def test_other_proposals_of_a_searcher_built_anew_are_found(searcher: Callable[..., Any], trial: int) -> None:
    """A sweep that was killed would go on elsewhere; an earlier end is another proposal, too."""
    with pytest.raises(ContractError, match="proposals that follow from the seed") as caught:
        contract.check_repetition(entry(searcher))
    assert f", for trial {trial}.\n" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 2
