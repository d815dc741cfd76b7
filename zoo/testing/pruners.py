"""What a pruner must do."""

from __future__ import annotations

from zoo.registry import Entry, build
from zoo.sweeps.curves import Curve
from zoo.sweeps.pruning import Pruner
from zoo.testing.outcome import ContractError

_EPOCHS = 9
_OTHERS = tuple(Curve(tuple(place / 20 + epoch / 100 for epoch in range(_EPOCHS)), finished=True) for place in range(9))
_SCORES = tuple(0.11 + epoch / 200 for epoch in range(_EPOCHS))


def pruner(entry: Entry) -> Pruner:
    """Build a pruner as a sweep does."""
    built: Pruner = build(entry, facts={}, options={})
    return built


def check_verdicts(entry: Entry) -> None:
    """Say True or False after each epoch of a trial, also of the first one, which nothing can be compared with."""
    built = pruner(entry)
    for others in ((), _OTHERS[:1], _OTHERS):
        for epoch in range(1, _EPOCHS + 1):
            said = built.keeps(_SCORES[:epoch], others)
            if not isinstance(said, bool):
                raise ContractError(
                    entry,
                    expected="True or False from keeps(scores, others)",
                    seen=f"{said!r:.80} after epoch {epoch}, beside {len(others)} others",
                    mend="Return bool(...): True lets the trial go on.",
                )


def check_best_goes_on(entry: Entry) -> None:
    """Let a trial go on that is better than all others at every epoch."""
    best, built = tuple(0.9 + epoch / 200 for epoch in range(_EPOCHS)), pruner(entry)
    for epoch in range(1, _EPOCHS + 1):
        if not built.keeps(best[:epoch], _OTHERS):
            raise ContractError(
                entry,
                expected="True of a trial that is better than all others",
                seen=f"False after epoch {epoch}",
                mend="Scores are higher where a trial is better, also where it is judged by its loss.",
            )


def check_repetition(entry: Entry) -> None:
    """Say the same again: a sweep that was killed decides anew with a pruner that was built anew."""
    first, again, twice = pruner(entry), pruner(entry), pruner(entry)
    for epoch in range(1, _EPOCHS + 1):
        twice.keeps(_SCORES[:epoch], _OTHERS)
        said = [each.keeps(_SCORES[:epoch], _OTHERS) for each in (first, again, twice)]
        if len(set(said)) > 1:
            raise ContractError(
                entry,
                expected="a verdict that follows from the scores alone",
                seen=f"{said[0]}, and another time {not said[0]}, after epoch {epoch}",
                mend="Keep nothing between calls, and draw nothing at random.",
            )


CHECKS = {
    "says whether a trial goes on": check_verdicts,
    "lets the best go on": check_best_goes_on,
    "says the same again": check_repetition,
}
