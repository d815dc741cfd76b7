"""Reading batches ahead of the loop, in threads, and mixing partners from what was read last."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import tee
from typing import NamedTuple

import torch
from torch import Tensor

from zoo.data.dataset import Split
from zoo.data.encoded import Streamed, is_streamed, new_batch
from zoo.data.splits import looked_up
from zoo.data.threads import AT_ONCE

AHEAD = 3
"""Batches that are being read beside the one that the loop works with."""


def read_batches(split: Split, batches: Iterable[Tensor], readers: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
    """Return the images and labels of *batches* in their order, whatever thread reads which of them.

    Args:
        split: A split in memory is indexed when a batch is wanted; one that streams is read ahead.
        batches: The indices of each batch, int64 (B,).
        readers: Threads that read; 0 reads when a batch is wanted.
    """
    if readers and is_streamed(split):
        return _ahead(split, batches, readers)
    return map(split.batch, batches)


def _ahead(split: Streamed, batches: Iterable[Tensor], readers: int) -> Iterator[tuple[Tensor, Tensor]]:
    pool = ThreadPoolExecutor(readers, "zoo-reader")
    waiting: deque[_Pending] = deque()
    try:
        for indices in batches:
            waiting.append(_begin(pool, split, indices))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        # Also when the loop was left, by an error or a signal: what waits is given up, and no thread stays behind.
        pool.shutdown(cancel_futures=True)


class _Pending(NamedTuple):
    """A batch that is being read: its images, its labels, and what fills the images."""

    images: Tensor
    labels: Tensor
    parts: list[Future[None]]

    def result(self) -> tuple[Tensor, Tensor]:
        """Wait for the images.

        Raises:
            DamagedError: If one cannot be read; of several, the first in the batch's order is told.
        """
        for part in self.parts:
            part.result()
        return self.images, self.labels


def _begin(pool: ThreadPoolExecutor, split: Streamed, indices: Tensor) -> _Pending:
    """Have a batch read, a few images by each thread, so that the first batch takes all of them."""
    images = new_batch(len(indices), split.shape)
    parts = [
        pool.submit(split.read_into, images[start : start + AT_ONCE], indices[start : start + AT_ONCE])
        for start in range(0, len(indices), AT_ONCE)
    ]
    return _Pending(images, split.labels.index_select(0, indices), parts)


class Reader:
    """How a run reads its training images: batches in an epoch's order, and mixing partners beside them.

    Args:
        split: The training images.
        readers: Threads that read ahead, where the split streams.
        remembered: Of a split that streams, how many of the images that were read last are kept for partners.

    Attributes:
        source: The split that has the images, where the training images are a subset.
        streams: Whether that one streams.
    """

    def __init__(self, split: Split, readers: int = 0, remembered: int = 0) -> None:
        self.split = split
        self._readers = readers
        self.source, _ = looked_up(split, torch.zeros(0, dtype=torch.int64, device=split.labels.device))
        self.streams = is_streamed(self.source)
        self._recent = _Recent(remembered) if self.streams and remembered else None

    def batches(self, places: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Return the images and labels of an epoch's batches.

        Args:
            places: The indices of each batch, int64 (B,), in the split that a subset is of.
        """
        if self._recent is None:
            return read_batches(self.source, places, self._readers)
        return self._remembering(self._recent, places)

    def _remembering(self, recent: _Recent, places: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        recent.clear()
        places, ahead = tee(places)
        for where, (images, labels) in zip(places, read_batches(self.source, ahead, self._readers), strict=True):
            recent.add(where, images)
            yield images, labels

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images and labels at *indices*, int64 (B,), of the split; none that is remembered is read again.

        Raises:
            DamagedError: If an image cannot be read.
        """
        source, places = looked_up(self.split, indices)
        if self._recent is None or not is_streamed(source):
            return source.batch(places)
        images = new_batch(len(places), source.shape)
        if missing := self._recent.copy(places, images):
            rows = torch.tensor(missing)
            read, _ = source.batch(places[rows])
            self._recent.add_other(places[rows], read)
            images[rows] = read
        return images, source.labels.index_select(0, places)


class _Recent:
    """The images that were read last, and those that were read beside them.

    Args:
        count: At least how many of the last ones are kept, and at most how many of the others.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._batches: deque[list[int]] = deque()
        self._images: dict[int, Tensor] = {}
        self._others: dict[int, Tensor] = {}

    def clear(self) -> None:
        """Forget them all."""
        self._batches.clear()
        self._images.clear()
        self._others.clear()

    def add(self, places: Tensor, images: Tensor) -> None:
        """Keep a batch that was read, and let go of the oldest ones."""
        self._batches.append(places.tolist())
        self._images.update(zip(self._batches[-1], images, strict=True))
        while len(self._images) - len(self._batches[0]) >= self._count:
            for place in self._batches.popleft():
                self._images.pop(place, None)

    def add_other(self, places: Tensor, images: Tensor) -> None:
        """Keep images that are partners of the first batches, and so come from an epoch's end."""
        if len(self._others) + len(places) <= self._count:
            self._others.update(zip(places.tolist(), images, strict=True))

    def copy(self, places: Tensor, images: Tensor) -> list[int]:
        """Copy the images at *places*, (B,), into *images*, (B, C, H, W); return the rows that are not kept."""
        missing = []
        for row, place in enumerate(places.tolist()):
            found = self._images.get(place, self._others.get(place))
            if found is None:
                missing.append(row)
            else:
                images[row].copy_(found)
        return missing
