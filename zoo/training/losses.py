"""The losses of an epoch's batches, kept on the device until somebody reads them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from zoo.errors import ZooError


class NonFiniteLossError(ZooError):
    """The loss became infinite or not a number.

    Args:
        epoch: The epoch, counted from 1.
        batch: The batch within it, counted from 1; None where the loss is an evaluation's, after the step.
        step: The optimizer step that took that batch, counted from 1.
        lr: The rate of that step.
        value: The loss.
        split: What the batch was of.
    """

    is_common = True

    def __init__(
        self, *, epoch: int, batch: int | None, step: int, lr: float, value: float, split: str = "train"
    ) -> None:
        self.epoch, self.batch, self.step, self.lr, self.value, self.split = epoch, batch, step, lr, value, split
        if batch is None:
            became = f"the {split} loss became {value} after step {step} (epoch {epoch})"
        else:
            became = f"the loss became {value} at step {step} (epoch {epoch}, batch {batch})"
        super().__init__(f"{became}, where lr was {lr:.3g}. Try a lower --lr, --clip-norm 1, or --precision fp32.")


_PACK = 1024


class LossRecord:
    """The mean loss of each batch of an epoch, and exact means over any stretch of them.

    Adding keeps the scalar where it is, on the device, and never waits for it. Reading does; so it is done where a
    number is printed or saved, and finds the first loss that was not finite even if it came long before.

    Args:
        denominator: What a batch's mean was divided by: maps targets to a number or a scalar tensor.
    """

    def __init__(self, denominator: Callable[[Tensor], Any] = len) -> None:
        self._packs: list[Tensor] = []  # full ones: a scalar of its own takes 500 times the memory of its number
        self._recent: list[Tensor] = []
        self._denominators: list[Any] = []
        self.denominator = denominator

    def __len__(self) -> int:
        """The number of batches so far."""
        return len(self._denominators)

    def add(self, loss: Tensor, targets: Tensor) -> None:
        """Take the mean *loss*, a scalar tensor without a gradient, of the batch with these *targets*."""
        self.put(loss, self.denominator(targets))

    def put(self, loss: Tensor, weight: Any) -> None:
        """Take a batch's mean *loss*, a scalar tensor, and what it was divided by."""
        self._recent.append(loss)
        self._denominators.append(weight)
        if len(self._recent) == _PACK:
            self._packs.append(torch.stack(self._recent))
            self._recent.clear()

    def clear(self) -> None:
        """Begin a new epoch."""
        self._packs.clear()
        self._recent.clear()
        self._denominators.clear()

    def mean(self, start: int = 0, stop: int | None = None) -> float:
        """Return the mean loss over the samples of the batches from *start* up to *stop*, or to the last.

        It is the sum over samples divided by their number, whatever the batches' sizes; nan where there are none.
        """
        losses, weights = self.values()[start:stop], self.weights()[start:stop]
        total = math.fsum(weights)
        return math.fsum(map(float.__mul__, losses, weights)) / total if total else math.nan

    def values(self) -> list[float]:
        """Return each batch's mean loss so far."""
        packed = [value for pack in self._packs for value in pack.tolist()]
        return packed + as_numbers(self._recent)

    def weights(self) -> list[float]:
        """Return what each batch's mean was divided by."""
        return as_numbers(self._denominators)

    def restore(self, values: Sequence[float], weights: Sequence[float]) -> None:
        """Put back what `values` and `weights` returned, to go on from there."""
        self.clear()
        if values:
            self._packs.append(torch.tensor(values, dtype=torch.float64))
        self._denominators = list(weights)

    def first_non_finite(self) -> tuple[int, float] | None:
        """Return the first batch, counted from 0, whose loss was not finite, and that loss."""
        return next(((i, value) for i, value in enumerate(self.values()) if not math.isfinite(value)), None)


def as_numbers(values: Sequence[Tensor | float]) -> list[float]:
    """Return numbers and scalar tensors of one device as numbers; the tensors are read together."""
    tensors = [value for value in values if isinstance(value, Tensor)]
    read = iter(torch.stack(tensors).tolist() if tensors else ())
    return [float(next(read) if isinstance(value, Tensor) else value) for value in values]
