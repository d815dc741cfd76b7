"""Pruning: a trial waits after each epoch, and ends there where a pruner sees that others were better."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from zoo.errors import PluginError
from zoo.records.directory import METRICS, ended_summary
from zoo.registry import Entry, build
from zoo.sweeps.curves import Curve, curve_of
from zoo.training.leash import ends, goes_on


class Pruner(Protocol):
    """What a plugin builds."""

    def keeps(self, scores: Sequence[float], others: Sequence[Curve]) -> bool:
        """Return whether a trial with these scores so far goes on."""


class Pruning:
    """Decides which trials of a search go on, from their metrics.csv alone.

    A trial is compared with those of lower numbers. With one job these have all ended, so that a decision is the same
    whenever it is made; what a killed sweep had not decided is decided when it goes on.

    Args:
        entry: The pruner's.
        options: For its builder.
        select: What a trial is judged by, as its epochs are: ``"accuracy"``, ``"balanced"`` or ``"loss"``.

    Raises:
        UsageError: If the pruner refuses its options.
        PluginError: If it cannot be built.
    """

    def __init__(self, entry: Entry, options: Mapping[str, Any], select: str) -> None:
        self._entry, self._select = entry, select
        self._pruner: Pruner = build(entry, facts={}, options=options)
        self._asked: dict[int, int] = {}  # by number, the epoch after which a running trial waits
        self._seen: dict[int, tuple[int, ...] | None] = {}  # by number, which metrics.csv was looked at
        self._ended: dict[Path, Curve] = {}  # of trials that are over, which are read once

    def begun(self, number: int, directory: Path) -> str:
        """Return what a trial is told when it begins or goes on: to train as far as it was before, and wait.

        One that was pruned already was copied from another share, and its process is to say whether it is of this
        sweep: the verdict stands, and it ends there again.
        """
        self._seen.pop(number, None)
        reached = len(self._curve(directory).scores)
        if reached and ended_summary(directory).get("status") == "pruned":
            return ends(reached)
        self._asked[number] = max(1, reached)
        return goes_on(self._asked[number])

    def told(self, number: int, directory: Path, before: Iterable[Path]) -> str | None:
        """Return what a trial is told that is where it waits; None where it is not there yet.

        Args:
            number: The trial's.
            directory: Its run directory.
            before: Those of the trials of lower numbers.

        Raises:
            PluginError: If the pruner fails, or says neither yes nor no.
        """
        if (metrics := _stamp(directory / METRICS)) == self._seen.get(number):
            return None
        self._seen[number] = metrics
        asked = self._asked.get(number, math.inf)
        scores = self._curve(directory).scores
        if asked > len(scores):
            return None
        epoch = int(asked)
        if not self._keeps(scores[:epoch], [self._curve(each) for each in before]):
            del self._asked[number]
            return ends(epoch)
        self._asked[number] = epoch + 1
        return goes_on(epoch + 1)

    def _curve(self, directory: Path) -> Curve:
        """Return a trial's curve as it stands on the disk."""
        if directory not in self._ended:
            has_ended = bool(ended_summary(directory))
            curve = curve_of(directory, self._select)
            if not has_ended:
                return curve
            self._ended[directory] = curve
        return self._ended[directory]

    def _keeps(self, scores: tuple[float, ...], others: Sequence[Curve]) -> bool:
        try:
            kept = self._pruner.keeps(scores, others)
        except Exception as error:
            raise PluginError(f"{self._entry} failed to judge a trial: {error!r:.200}") from error
        if not isinstance(kept, bool):
            raise PluginError(f"{self._entry} must say True or False of a trial, not {kept!r:.80}")
        return kept


def _stamp(path: Path) -> tuple[int, ...] | None:
    """Return what tells a file from the one that replaces it, at the cost of one call; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
