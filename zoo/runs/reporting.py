"""What a run tells while it goes on. The command line prints it; by default nobody listens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from zoo.errors import DamagedError
from zoo.records.epochs import EpochResult
from zoo.training.fit import Progress


class Reporter:
    """Listens to a run and says nothing. Subclasses print."""

    def notice(self, text: str) -> None:
        """Something that is worth a line, and no error."""

    def started(self, run: Mapping[str, Any], progress: Progress) -> None:
        """Everything is built; training begins, or goes on where *progress* is."""

    def step(self, progress: Progress) -> None:
        """An optimizer step is done. Called often, so it must be cheap."""

    def window(self, epoch: int, batch: int, loss: float) -> None:
        """The mean loss of the last stretch of batches, up to *batch* of *epoch*, both counted from 1."""

    def evaluating(self, split: str) -> None:
        """A split is about to be evaluated."""

    def epoch(self, result: EpochResult, epochs: int) -> None:
        """An epoch is done."""

    def refitted(self, images: int) -> None:
        """The probe was the best: its head was fitted once more, to so many images, those for validation among them."""

    def closed(self) -> None:
        """Nothing more will be told: whatever was drawn is to be left tidy."""


def readable(read: Callable[[], dict[str, Any]], reporter: Reporter) -> dict[str, Any]:
    """Return what *read* does, or nothing where its file is damaged: all that a run needs is in its checkpoints."""
    try:
        return read()
    except DamagedError as error:
        reporter.notice(f"{error}; going on without it")
        return {}
