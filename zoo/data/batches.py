"""Batches of a split: shuffled and grouped into optimizer steps for training, in order for evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, tee
from typing import NamedTuple

import torch
from torch import Tensor

from zoo.data.dataset import Split, weights_of
from zoo.data.order import batch_spans, cut, evenly, share_of, visits
from zoo.data.preparation import on_device
from zoo.data.reading import Reader, read_batches
from zoo.data.splits import looked_up

Prepare = Callable[[Tensor], Tensor]
Augment = Callable[[Tensor, Tensor, int, Tensor], tuple[Tensor, Tensor]]
Denominator = Callable[[Tensor], "Tensor | float"]


class Batch(NamedTuple):
    """What the loop sees of the data.

    Attributes:
        inputs: (N, C, H, W), floating.
        targets: (N,) int64, or (N, K) floating where an augmentation mixes classes.
        share: This batch's share of its optimizer step, a scalar tensor, where gradients are added up; else None.
    """

    inputs: Tensor
    targets: Tensor
    share: Tensor | None


class TrainingBatches:
    """The batches of an epoch, grouped into windows: the batches whose gradients make one optimizer step.

    Where batches are cut into slices, a window consists of these, and each process has its own of them.

    Args:
        split: The training images.
        batch_size: Images in a batch, at least 1.
        seed: The run's seed.
        prepare: Maps images (N, C, H, W) to inputs.
        accumulate: Batches in a window, at least 1; the last window of an epoch may have fewer.
        slices: Slices that a batch is cut into, at least 1; a small batch has fewer.
        process: Which of the window's slices are read: those of this process, as its rank and the number of processes.
        denominator: What a batch's mean loss was divided by: maps targets to a number.
        augment: Maps (inputs, targets, epoch, indices) to inputs and targets; None for none.
        reader: Reads the split; None for one that reads what streams when it is wanted.
        balance: How far small classes are visited more often, from 0 to 1.
        order: ``"table"`` or ``"keyed"``: whether the order of an epoch stands in a table.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        *,
        seed: int,
        prepare: Prepare,
        accumulate: int = 1,
        slices: int = 1,
        process: tuple[int, int] = (0, 1),
        denominator: Denominator = len,
        augment: Augment | None = None,
        reader: Reader | None = None,
        balance: float = 0.0,
        order: str = "table",
    ) -> None:
        self.split = split
        self._reader = reader or Reader(split)
        self._spans = batch_spans(len(split), batch_size)
        self._seed = seed
        self._prepare = prepare
        self.accumulate = accumulate
        self.slices = slices
        self._process = process
        self._denominator = denominator
        self._augment = augment
        self._balance = balance
        self._weights = weights_of(split)
        self._repeats = balance > 0 or self._weights is not None
        self._order = order

    @property
    def steps(self) -> int:
        """Optimizer steps in an epoch."""
        return -(-len(self._spans) // self.accumulate)

    def batches_in(self, windows: int) -> int:
        """The number of batches in the first *windows* windows of an epoch."""
        return min(windows * self.accumulate, len(self._spans))

    def samples_in(self, batches: int) -> int:
        """The number of samples in the first *batches* batches of an epoch."""
        return self._spans[batches - 1][1] if batches else 0

    def windows(self, epoch: int, start: int = 0) -> Iterator[Sequence[Batch] | Iterator[Batch]]:
        """Yield the windows of *epoch*, counted from 0, beginning with window *start*."""
        order = visits(self._seed, epoch, self.split.labels, self._balance, self._order, self._weights)
        spans = self._spans[start * self.accumulate :]
        if self.accumulate == self.slices == 1:
            chosen, read = tee(cut(order, spans, self._places))  # the reader is a few batches ahead
            stored = self._reader.batches(epoch, read)
            for (indices, _), images in zip(chosen, stored, strict=True):
                yield (self._batch(epoch, indices, images),)
            return
        if self.slices > 1:
            spans = [part for batch in spans for part in evenly(*batch, self.slices)]
        parts = cut(order, spans, self._places)
        windows, ahead = tee(list(islice(parts, sum(map(len, self.sizes(n))))) for n in range(start, self.steps))
        stored = self._reader.batches(epoch, (window[n] for window in ahead for n in self._own(window)))
        labels = self._reader.source.labels
        for window in windows:
            pixels = islice(stored, len(self._own(window)))
            # What streams is read before the window begins: where a file is gone, the run stops between two steps.
            yield self._window(epoch, window, list(pixels) if self._reader.streams else pixels, labels)

    def _places(self, visited: Tensor) -> Tensor:
        """Return where in the source the samples are that are *visited*."""
        return looked_up(self.split, visited % len(self.split) if self._repeats else visited)[1]

    def _own(self, window: Sequence[object]) -> range:
        """Return which parts of a window this process computes."""
        return share_of(len(window), *self._process)

    def sizes(self, window: int) -> list[list[int]]:
        """Return the number of samples in each slice of each batch of an epoch's *window*, counted from 0."""
        batches = self._spans[window * self.accumulate : (window + 1) * self.accumulate]
        return [[stop - start for start, stop in evenly(*batch, self.slices)] for batch in batches]

    def _batch(self, epoch: int, indices: Tensor, stored: tuple[Tensor, Tensor]) -> Batch:
        images, labels = stored
        inputs = self._prepare(images)
        targets = on_device(labels, inputs.device)
        if self._augment is not None:
            inputs, targets = self._augment(inputs, targets, epoch, indices)
        return Batch(inputs, targets, share=None)

    def _window(
        self,
        epoch: int,
        parts: list[tuple[Tensor, Tensor]],
        stored: Iterable[tuple[Tensor, Tensor]],
        labels: Tensor,
    ) -> Iterator[Batch]:
        """Yield a window's parts, each with its share, so that all their gradients add up to the whole window's mean.

        The shares come from the labels alone: only one batch of inputs is in memory at a time.
        """
        weights = [self._denominator(labels[where]) for _, where in parts]
        total = sum(weights)
        for number, images in zip(self._own(parts), stored, strict=True):
            (indices, _), weight = parts[number], weights[number]
            batch = self._batch(epoch, indices, images)
            share = _scalar(weight, batch.inputs.device) / total
            yield batch._replace(share=share.nan_to_num(0.0))  # of nothing at all, each has nothing


def _scalar(number: Tensor | float, device: torch.device) -> Tensor:
    """Return *number* on the device; one of Python's is written there, where `torch.tensor` would wait for a copy."""
    if isinstance(number, Tensor):
        return on_device(number, device).to(torch.float32)
    return torch.full((), number, dtype=torch.float32, device=device)


class EvaluationBatches:
    """The batches of a split in its own order; every sample exactly once, in one of the processes.

    Args:
        split: The images.
        batch_size: Images in a batch, at least 1. The last batch may be smaller.
        prepare: Maps images (N, C, H, W) to inputs.
        readers: Threads that read ahead, where the split streams.
        process: Its rank and the number of processes, among which whole batches are dealt in turn.
    """

    def __init__(
        self, split: Split, batch_size: int, prepare: Prepare, *, readers: int = 0, process: tuple[int, int] = (0, 1)
    ) -> None:
        self.split = split
        self.batch_size = batch_size
        self._prepare = prepare
        self._readers = readers
        self._process = process

    @property
    def rounds(self) -> int:
        """The most batches that a process has."""
        return -(-len(self.split) // (self.batch_size * self._process[1]))

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        everything = torch.arange(len(self.split), device=self.split.labels.device)
        source, places = looked_up(self.split, everything)
        rank, size = self._process
        mine = torch.split(places, self.batch_size)[rank::size]
        for images, labels in read_batches(source, mine, self._readers):
            inputs = self._prepare(images)
            yield inputs, on_device(labels, inputs.device)
