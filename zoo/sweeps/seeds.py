"""One recipe over several seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.sweeps.runs import Outcome

if TYPE_CHECKING:
    from zoo.reports.statistics import Mean


@dataclass(frozen=True)
class Seeds:
    """Runs that differ in the seed alone.

    Attributes:
        first: The first run's seed; each further one's is one more.
        count: How many runs.
    """

    first: int
    count: int

    def name(self, number: int) -> str:
        """Return the name of a run's directory."""
        return f"seed-{self.first + number}"

    def ask(self, number: int) -> Mapping[str, Any] | None:
        """Return the seed of a run."""
        return {"train.seed": self.first + number}

    def tell(self, outcome: Outcome) -> None:
        """Do nothing: which seeds are run does not hang on what came of the others."""


def means(outcomes: Iterable[Outcome]) -> dict[str, Mean]:
    """Return the mean of each accuracy and loss over finished runs, at least one, with its interval, by its key."""
    from zoo.reports.statistics import mean_of

    summaries = [outcome.summary for outcome in outcomes]
    keys = ("val_accuracy", "val_loss", "test_accuracy", "test_loss")
    values = {key: [summary.get(key) for summary in summaries] for key in keys}
    return {
        key: mean_of([float(value) for value in found if value is not None])
        for key, found in values.items()
        if found and None not in found
    }
