"""A search: a searcher proposes settings, and hears how good they were on the validation images."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.errors import PluginError
from zoo.registry import Entry, build
from zoo.sweeps.curves import Curve, curve_of
from zoo.sweeps.runs import Outcome
from zoo.sweeps.space import Domain

TRIALS = 20
"""How many trials there are where neither the user nor the searcher says."""


class Search:
    """The runs of a search.

    Args:
        entry: The searcher's.
        options: For its builder.
        space: What to choose from, by key.
        seed: Of the searcher.
        folder: The sweep's, where a searcher may keep files of its own.
        trials: How many; None for all of a searcher that has so many, else `TRIALS`.

    Attributes:
        count: How many trials there are at most.

    Raises:
        UsageError: If the searcher refuses its options or the space.
        PluginError: If it cannot be built.
    """

    def __init__(
        self,
        entry: Entry,
        options: Mapping[str, Any],
        space: Mapping[str, Domain],
        *,
        seed: int,
        folder: Path,
        trials: int | None,
    ) -> None:
        self._entry, self._space = entry, space
        self._searcher = build(entry, facts={"space": space, "seed": seed, "folder": folder}, options=options)
        size: int = getattr(self._searcher, "size", TRIALS)
        self.count = trials or size

    def name(self, number: int) -> str:
        """Return the name of a trial's directory."""
        return f"trial-{number:03}"

    def ask(self, number: int) -> Mapping[str, Any] | None:
        """Return what the searcher proposes.

        Raises:
            PluginError: If it fails, or proposes something else than a value for each key.
        """
        try:
            proposed = self._searcher.ask(number)
        except Exception as error:
            raise PluginError(f"{self._entry} failed to propose trial {number}: {error!r:.200}") from error
        if proposed is None:
            return None
        if not isinstance(proposed, Mapping) or set(proposed) != set(self._space):
            raise PluginError(f"{self._entry} must propose values for {', '.join(self._space)}, not {proposed!r:.80}")
        return {key: proposed[key] for key in self._space}

    def tell(self, outcome: Outcome) -> None:
        """Tell the searcher how good a trial was, one that was pruned as far as it came; None where it failed."""
        try:
            tell(self._searcher, outcome.number, outcome.settings, outcome.reached, lambda: _curve_of(outcome))
        except Exception as error:
            raise PluginError(f"{self._entry} failed to hear of trial {outcome.number}: {error!r:.200}") from error


def tell(
    searcher: Any, number: int, settings: Mapping[str, Any], score: float | None, curve: Callable[[], Curve]
) -> None:
    """Tell a searcher of a trial: its number, settings and score, and its curve where the method names it."""
    named = {"curve": curve()} if "curve" in inspect.signature(searcher.tell).parameters else {}
    searcher.tell(number, dict(settings), score, **named)


def _curve_of(outcome: Outcome) -> Curve:
    return curve_of(outcome.directory, outcome.summary.get("select", "accuracy")) if outcome.summary else Curve(())


def ranked(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the trials that have a score, the best on the validation images first, equal ones in their order."""
    scored = [outcome for outcome in outcomes if outcome.score is not None]
    return sorted(scored, key=lambda outcome: (-(outcome.score or 0.0), outcome.number))
