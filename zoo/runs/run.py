"""A finished run, as `zoo.train` returns it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from zoo.config import Config
from zoo.records.epochs import EpochResult


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        directory: Where its files are.
        config: All that defines it, with full names and complete options.
        summary: What summary.json holds: ``test_accuracy``, in [0, 1], ``test_loss``, ``best_epoch`` and so on.
        metrics: The epochs, in order.
        model: The trained model with the weights of the best epoch, in evaluation mode.
    """

    directory: Path
    config: Config
    summary: Mapping[str, Any]
    metrics: tuple[EpochResult, ...]
    model: nn.Module

    @property
    def test_accuracy(self) -> float:
        """Share of the test images that were classified rightly, in [0, 1]."""
        return float(self.summary["test_accuracy"])

    def report(self, out: str | Path | None = None) -> Path:
        """Write the run's page, report.html, and return its path; *out* is where it goes instead."""
        from zoo.reports.report import report  # with the library that makes pages, which training does not wait for

        return report(self.directory, out)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the accuracy, the curves and the confusion matrix."""
        from zoo.reports.report import page_for_notebook

        return page_for_notebook(self.directory)
