"""What a sweep came to."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.sweeps.runs import Outcome
from zoo.sweeps.search import ranked
from zoo.sweeps.seeds import means

if TYPE_CHECKING:
    from zoo.reports.evaluations import Evaluation
    from zoo.reports.statistics import Mean


@dataclass(frozen=True)
class SweepResult:
    """What a sweep came to.

    Attributes:
        directory: Its folder.
        kind: ``"seeds"``, ``"folds"`` or ``"search"``.
        runs: What became of each run, in order.
        out_of_fold: What the folds' models said of the images that they had not learnt; None of other sweeps, and
            where no fold was finished.
    """

    directory: Path
    kind: str
    runs: tuple[Outcome, ...]
    out_of_fold: Evaluation | None = None

    @property
    def finished(self) -> tuple[Outcome, ...]:
        """The runs that came to their end."""
        return tuple(run for run in self.runs if run.finished)

    @property
    def best(self) -> Outcome | None:
        """The trial of a search that is best on the validation images."""
        order = ranked(self.runs) if self.kind == "search" else []
        return order[0] if order else None

    @property
    def mean(self) -> Mapping[str, Mean]:
        """Each accuracy and loss on average of the finished runs, by its key; empty of a search."""
        return means(self.finished) if self.kind != "search" and self.finished else {}

    def document(self) -> dict[str, Any]:
        """Return all of it as plain data."""
        from zoo.reports.details import metrics_without_classes

        pooled = self.out_of_fold
        of_all = None if pooled is None else {"samples": pooled.document["samples"], **metrics_without_classes(pooled)}
        return {
            "directory": str(self.directory),
            "kind": self.kind,
            "runs": [run.document() for run in self.runs],
            "mean": {key: dataclasses.asdict(mean) for key, mean in self.mean.items()},
            "best": self.best.name if self.best else None,
            "out_of_fold": of_all,
        }

    def report(self, out: str | Path | None = None) -> Path:
        """Write the sweep's page, report.html, and return its path; *out* is where it goes instead."""
        from zoo.reports.report import report

        return report(self.directory, out)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the sweep's page, in a frame of its own."""
        from zoo.reports.report import page_for_notebook

        return page_for_notebook(self.directory)
