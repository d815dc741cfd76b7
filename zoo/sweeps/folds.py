"""Cross-validation: each part of the images is held out once, and what is said of it kept together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.sweeps.runs import Outcome

if TYPE_CHECKING:
    from zoo.reports.evaluations import Evaluation


@dataclass(frozen=True)
class Folds:
    """Runs that differ in the images that they hold out.

    Attributes:
        count: How many there are.
    """

    count: int

    def name(self, number: int) -> str:
        """Return the name of a run's directory."""
        return f"fold-{number + 1}"

    def ask(self, number: int) -> Mapping[str, Any] | None:
        """Return the fold of a run."""
        return {"train.fold": f"{number + 1}/{self.count}"}

    def tell(self, outcome: Outcome) -> None:
        """Do nothing: the folds stand."""


def out_of_fold(folder: Path, outcomes: Sequence[Outcome]) -> Evaluation:
    """Keep the predictions of all folds as one evaluation beside them, and return it.

    Args:
        folder: The sweep's.
        outcomes: Of its finished runs, at least one.

    Raises:
        UsageError: If a run keeps no evaluation.
        DamagedError: If one is damaged.
        OSError: If the folder cannot be written to.
    """
    from zoo.reports.pooling import pool

    return pool(folder, [outcome.directory for outcome in sorted(outcomes, key=lambda outcome: outcome.number)])
