"""Reading batches ahead of the loop, in threads, and mixing partners from what was read last."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import tee
from typing import NamedTuple

import torch
from torch import Tensor

from zoo.data.dataset import Split
from zoo.data.encoded import Streamed, is_cuttable, is_streamed, new_batch
from zoo.data.splits import looked_up
from zoo.data.threads import AT_ONCE

AHEAD = 3
"""Batches that are being read beside the one that the loop works with."""

Boxes = Callable[[int, Tensor], Tensor]
"""Maps an epoch and what it visits, int64 (B,), to the part of each image that is read, as `Cuttable` knows it."""


class Wanted(NamedTuple):
    """A batch that is to be read.

    Attributes:
        indices: Of which images, int64 (B,).
        boxes: The part of each, float64 (B, 4); None for all of it.
    """

    indices: Tensor
    boxes: Tensor | None = None

    def part(self, rows: slice | Tensor) -> Wanted:
        """Return some rows of it."""
        return Wanted(self.indices[rows], None if self.boxes is None else self.boxes[rows])

    def read_into(self, split: Streamed, images: Tensor) -> None:
        """Read the batch into *images*, uint8 (B, C, H, W)."""
        if self.boxes is None:
            split.read_into(images, self.indices)
        else:
            assert is_cuttable(split)  # noqa: S101 - for the type checker: `Reader` has seen to it
            split.read_parts_into(images, self.indices, self.boxes)

    def read(self, split: Split) -> tuple[Tensor, Tensor]:
        """Return the batch's images, uint8 (B, C, H, W), and labels, int64 (B,)."""
        if self.boxes is None:
            return split.batch(self.indices)
        assert is_streamed(split)  # noqa: S101 - as above
        images = new_batch(len(self.indices), split.shape)
        self.read_into(split, images)
        return images, split.labels.index_select(0, self.indices)


def read_batches(split: Split, batches: Iterable[Tensor], readers: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
    """Return the images and labels of *batches* in their order, whatever thread reads which of them.

    Args:
        split: A split in memory is indexed when a batch is wanted; one that streams is read ahead.
        batches: The indices of each batch, int64 (B,).
        readers: Threads that read; 0 reads when a batch is wanted.
    """
    return _read(split, map(Wanted, batches), readers)


def _read(split: Split, batches: Iterable[Wanted], readers: int) -> Iterator[tuple[Tensor, Tensor]]:
    if readers and is_streamed(split):
        return _ahead(split, batches, readers)
    return (batch.read(split) for batch in batches)


def _ahead(split: Streamed, batches: Iterable[Wanted], readers: int) -> Iterator[tuple[Tensor, Tensor]]:
    pool = ThreadPoolExecutor(readers, "zoo-reader")
    waiting: deque[_Pending] = deque()
    try:
        for batch in batches:
            waiting.append(_begin(pool, split, batch))
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


def _begin(pool: ThreadPoolExecutor, split: Streamed, batch: Wanted) -> _Pending:
    """Have a batch read, a few images by each thread, so that the first batch takes all of them."""
    images = new_batch(len(batch.indices), split.shape)
    rows = [slice(start, start + AT_ONCE) for start in range(0, len(images), AT_ONCE)]
    parts = [pool.submit(batch.part(some).read_into, split, images[some]) for some in rows]
    return _Pending(images, split.labels.index_select(0, batch.indices), parts)


class Reader:
    """How a run reads its training images: batches in an epoch's order, and mixing partners beside them.

    Args:
        split: The training images.
        readers: Threads that read ahead, where the split streams.
        remembered: Of a split that streams, how many of the images that were read last are kept for partners.
        boxes: Which part of each image is read, by epoch and visit, where the split `is_cuttable`; None for all of it.

    Attributes:
        source: The split that has the images, where the training images are a subset.
        streams: Whether that one streams.
    """

    def __init__(self, split: Split, readers: int = 0, remembered: int = 0, boxes: Boxes | None = None) -> None:
        self.split = split
        self._readers = readers
        self._boxes = boxes
        self.source, _ = looked_up(split, torch.zeros(0, dtype=torch.int64, device=split.labels.device))
        self.streams = is_streamed(self.source)
        self._recent = _Recent(remembered) if self.streams and remembered else None

    def batches(self, epoch: int, visited: Iterable[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
        """Return the images and labels of an epoch's batches.

        Args:
            epoch: Counted from 0.
            visited: What each batch visits, int64 (B,), and where these images are in the split that a subset is of.
        """
        if self._recent is None:
            return _read(self.source, (self._wanted(epoch, *each) for each in visited), self._readers)
        return self._remembering(self._recent, epoch, visited)

    def _remembering(
        self, recent: _Recent, epoch: int, visited: Iterable[tuple[Tensor, Tensor]]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        recent.begin(epoch)
        visited, ahead = tee(visited)
        read = _read(self.source, (self._wanted(epoch, *each) for each in ahead), self._readers)
        for (visits, _), (images, labels) in zip(visited, read, strict=True):
            recent.add(visits, images)
            yield images, labels

    def batch(self, epoch: int, visits: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images and labels of some *visits* of an epoch, int64 (B,); none that is remembered is read again.

        Raises:
            DamagedError: If an image cannot be read.
        """
        # A later visit of an image that is shown more often has a number of its own.
        source, places = looked_up(self.split, visits % len(self.split))
        wanted = self._wanted(epoch, visits, places)
        if self._recent is None or not is_streamed(source):
            return wanted.read(source)
        if self._recent.epoch != epoch:
            self._recent.begin(epoch)
        images = new_batch(len(places), source.shape)
        if missing := self._recent.copy(visits, images):
            rows = torch.tensor(missing)
            read, _ = wanted.part(rows).read(source)
            self._recent.add_other(visits[rows], read)
            images[rows] = read
        return images, source.labels.index_select(0, places)

    def _wanted(self, epoch: int, visits: Tensor, places: Tensor) -> Wanted:
        return Wanted(places, None if self._boxes is None else self._boxes(epoch, visits))


class _Recent:
    """The images of an epoch that were read last, and those that were read beside them.

    Args:
        count: At least how many of the last ones are kept, and at most how many of the others.

    Attributes:
        epoch: Which; None before the first.
    """

    def __init__(self, count: int) -> None:
        self.epoch: int | None = None
        self._count = count
        self._batches: deque[list[int]] = deque()
        self._images: dict[int, Tensor] = {}
        self._others: dict[int, Tensor] = {}

    def begin(self, epoch: int) -> None:
        """Forget them all, for those of *epoch*."""
        self.epoch = epoch
        self._batches.clear()
        self._images.clear()
        self._others.clear()

    def add(self, visits: Tensor, images: Tensor) -> None:
        """Keep a batch that was read, and let go of the oldest ones."""
        self._batches.append(visits.tolist())
        self._images.update(zip(self._batches[-1], images, strict=True))
        while len(self._images) - len(self._batches[0]) >= self._count:
            for visit in self._batches.popleft():
                self._images.pop(visit, None)

    def add_other(self, visits: Tensor, images: Tensor) -> None:
        """Keep images that are partners of the first batches, and so come from an epoch's end."""
        if len(self._others) + len(visits) <= self._count:
            self._others.update(zip(visits.tolist(), images, strict=True))

    def copy(self, visits: Tensor, images: Tensor) -> list[int]:
        """Copy the images of *visits*, (B,), into *images*, (B, C, H, W); return the rows that are not kept."""
        missing = []
        for row, visit in enumerate(visits.tolist()):
            found = self._images.get(visit, self._others.get(visit))
            if found is None:
                missing.append(row)
            else:
                images[row].copy_(found)
        return missing
