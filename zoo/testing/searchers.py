"""What a searcher must do."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from typing import Any

from zoo.registry import Entry, build
from zoo.sweeps.curves import Curve
from zoo.sweeps.search import tell
from zoo.sweeps.space import Choices, Domain, Range
from zoo.testing.outcome import ContractError

SPACE: dict[str, Domain] = {
    "model.p": Choices((0.1, 0.25, 0.5)),
    "optimizer.lr": Range(1e-4, 1e-1, log=True),
    "train.batch_size": Range(8, 64, whole=True),
}
_TRIALS = 8
_FAILED = 2  # the trial that fails
_PRUNED = 4  # the one that is ended early


def searcher(entry: Entry) -> Any:
    """Build a searcher as a sweep does."""
    return build(entry, facts={"space": SPACE, "seed": 3}, options={})


def check_proposals(entry: Entry) -> None:
    """Propose a value within its space for each key, and go on where a trial failed."""
    for number, settings in enumerate(_proposed(entry)):
        if not (isinstance(settings, Mapping) and _fits(settings)):
            raise ContractError(
                entry,
                expected=f"a value for each of {', '.join(SPACE)}, within its space",
                seen=f"{settings!r:.120} for trial {number}",
                mend="Return {key: domain.at(share) for key, domain in space.items()}, or the domain's own values.",
            )


def check_repetition(entry: Entry) -> None:
    """Propose the same again: a sweep that was killed goes on with a searcher that was built anew."""
    first, again = _proposed(entry), _proposed(entry)
    for number, (one, other) in enumerate(itertools.zip_longest(first, again)):
        if one == other:
            continue
        raise ContractError(
            entry,
            expected="proposals that follow from the seed, the trial's number and what was told before",
            seen=f"{one!r:.80}, and another time {other!r:.80}, for trial {number}",
            mend="Seed each draw anew, as by random.Random(f'{seed}/{number}').",
        )


def _proposed(entry: Entry) -> list[Mapping[str, Any]]:
    """Return what it proposes to a sweep whose trials get better and one of which fails."""
    built, proposed = searcher(entry), []
    for number in range(_TRIALS):
        settings = built.ask(number)
        if settings is None:
            break
        proposed.append(settings)
        told = dict(settings) if isinstance(settings, Mapping) else {}
        tell(built, number, told, None if number == _FAILED else number / _TRIALS, functools.partial(_curve, number))
    if not proposed:
        raise ContractError(
            entry, expected="at least one proposal", seen="None", mend="Return None only when there are no more."
        )
    return proposed


def _curve(number: int) -> Curve:
    """Return a curve of two epochs, of a trial that came to its end or was pruned; of one that failed, none."""
    scores = (number / _TRIALS / 2, number / _TRIALS)
    return Curve(() if number == _FAILED else scores, finished=number not in (_FAILED, _PRUNED))


def _fits(settings: Mapping[str, Any]) -> bool:
    return set(settings) == set(SPACE) and all(_within(key, value) for key, value in settings.items())


def _within(key: str, value: Any) -> bool:
    domain = SPACE[key]
    if isinstance(domain, Choices):
        return value in domain.values
    return isinstance(value, int if domain.whole else float) and domain.low <= value <= domain.high


CHECKS = {
    "proposes a value for each key": check_proposals,
    "proposes the same again": check_repetition,
}
