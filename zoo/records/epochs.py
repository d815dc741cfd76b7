"""The finished epochs of a run, as plain data: rows of metrics.csv, and what a checkpoint's state tells of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.errors import DamagedError


@dataclass(frozen=True, kw_only=True)
class EpochResult:
    """One finished epoch: a row of metrics.csv.

    Attributes:
        epoch: Counted from 1; 0 is the probe, the head that was fitted before the first step.
        step: Optimizer steps taken since the run began.
        loss: Mean training loss over the epoch's samples, as they were trained on.
        val_loss: Mean over the validation samples; None without validation.
        val_accuracy: In [0, 1]; None without validation.
        val_balanced_accuracy: The mean of the classes' accuracies, in [0, 1]; None without validation, and in a run of
            a zoo that did not measure it yet.
        lr: The rate of the epoch's last step.
        samples_per_second: Training images a second; validation and saving left out.
        seconds: Training, validation and saving since the run began.
    """

    epoch: int
    step: int
    loss: float
    val_loss: float | None
    val_accuracy: float | None
    val_balanced_accuracy: float | None = None
    lr: float
    samples_per_second: float
    seconds: float


def result_of(results: Sequence[EpochResult], epoch: int) -> EpochResult | None:
    """Return the result of *epoch*; None where it is not among them."""
    return next((result for result in results if result.epoch == epoch), None)


def results_from(state: Mapping[str, Any]) -> list[EpochResult]:
    """Return the epochs that a checkpoint's state tells of.

    Raises:
        DamagedError: If it has another form.
    """
    from zoo.records import tree  # torch, which looking through runs must not wait for

    try:
        return [EpochResult(**result) for result in tree.decode(state["progress"], {})["results"]]
    except (KeyError, TypeError) as error:
        raise DamagedError(f"the checkpoint's state.json lacks or misstates the epochs: {error}") from error
