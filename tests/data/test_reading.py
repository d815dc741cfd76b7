"""Reading ahead: the same batches whoever reads them, none twice, and no thread stays behind."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from small_images import small_split
from small_photos import encoded, photographs, reading_threads
from torch import Tensor

import zoo
from zoo.data import Preparation, Reader, Subset, TrainingBatches, read_batches
from zoo.data.augmentation import NEAR, Augmenter
from zoo.data.order import visits
from zoo.data.reading import AHEAD

READERS = (0, 1, 2, 5)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return photographs(tmp_path_factory.mktemp("photographs"))


class Counting:
    """A split that streams and counts how often each image was read."""

    def __init__(self, split):
        self.split, self.labels, self.shape = split, split.labels, split.shape
        self.partners = split.partners
        self.read: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self.split)

    def read_into(self, images: Tensor, indices: Tensor) -> None:
        self.read.update(indices.tolist())
        self.split.read_into(images, indices)

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        self.read.update(indices.tolist())
        return self.split.batch(indices)


def epoch(split, readers: int, *, accumulate: int = 1, start: int = 0, size: int = 7) -> list[Tensor]:
    """Return the inputs of an epoch's batches."""
    batches = TrainingBatches(
        split, size, seed=3, prepare=lambda x: x.clone(), accumulate=accumulate, reader=Reader(split, readers)
    )
    return [batch.inputs for window in batches.windows(2, start) for batch in window]


@pytest.mark.parametrize("readers", [0, 2])
@pytest.mark.parametrize("size", [2, 3])
def test_a_process_reads_the_images_of_its_slices_alone(root, readers, size):
    """Together they read each image once; a step of 2 images is one slice, so that others read nothing for it."""
    read = []
    for rank in range(size):
        split = Counting(encoded(root))
        part = Subset(split, torch.arange(26))
        settings = {"seed": 3, "prepare": torch.clone, "slices": 4, "process": (rank, size)}
        batches = TrainingBatches(part, 8, reader=Reader(part, readers), **settings)
        used = [len(batch.inputs) for window in batches.windows(2) for batch in window]
        assert split.read.total() == sum(used)
        read.append(split.read)
    assert sum(read, Counter()) == Counter(range(26))
    assert max(counter.total() for counter in read) < 26


@pytest.mark.parametrize("readers", READERS)
@pytest.mark.parametrize("accumulate", [1, 3])
def test_any_number_of_readers_gives_the_same_batches(root, readers, accumulate):
    """Order, pixels and the place where an epoch goes on are those of a split in memory."""
    split = encoded(root)
    part = Subset(split, torch.arange(29, 2, -1))
    held = zoo.TensorImages(*split.batch(torch.arange(len(split))))
    for wanted, found in ((held, split), (Subset(held, part.indices), part)):
        for start in (0, 1):
            expected = epoch(wanted, 0, accumulate=accumulate, start=start)
            given = epoch(found, readers, accumulate=accumulate, start=start)
            assert len(expected) == len(given)
            assert all(map(torch.equal, expected, given))
    assert reading_threads() == []


def test_batches_are_read_some_ahead_and_not_all(root):
    """While the loop has the first batch, the next ones are read, and no more."""
    split = Counting(encoded(root))
    batches = read_batches(split, torch.arange(30).split(2), readers=2)
    next(batches)
    batches.close()
    assert 2 <= sum(split.read.values()) <= 2 * (AHEAD + 1)


@pytest.mark.parametrize("readers", READERS[1:])
def test_no_thread_stays_where_the_loop_is_left(root, readers):
    """An error, a signal or an early end in the midst of an epoch leaves nothing running."""
    windows = TrainingBatches(
        encoded(root), 4, seed=0, prepare=lambda x: x, reader=Reader(encoded(root), readers)
    ).windows(0)
    next(windows)
    windows.close()
    assert reading_threads() == []


@pytest.mark.parametrize("readers", READERS)
def test_a_file_that_vanishes_or_changes_is_named(tmp_path, readers):
    """Whichever thread comes upon it, the loop is told, in the batch's place of the order, and no thread stays."""
    split = encoded(photographs(tmp_path, train=12))
    split.batch(torch.arange(12))
    gone, changed = (tmp_path / split.names[index] for index in (4, 9))
    content = changed.read_bytes()
    changed.write_bytes(content + b"x")
    with pytest.raises(zoo.DamagedError, match="was changed while it was in use") as caught:
        list(read_batches(split, torch.arange(12).split(3), readers))
    assert repr(str(changed)) in str(caught.value)
    gone.unlink()
    with pytest.raises(zoo.DamagedError, match="No such file") as caught:
        list(read_batches(split, torch.arange(12).split(3), readers))
    assert repr(str(gone)) in str(caught.value)
    assert reading_threads() == []


def mixing(inputs, targets, draws):
    return (inputs + draws.partners()[0]) / 2, targets


def mixed(split, *, size: int = 5, depth: int = 1, start: int = 0, order: str = "table") -> list[Tensor]:
    """Return an epoch's inputs, each mixed with its partner *depth* times."""
    reader = Reader(split, 2, remembered=NEAR * depth)
    prepare = Preparation([0.5] * 3, [0.25] * 3)

    def fetch(epoch, indices):
        images, labels = reader.batch(epoch, indices)
        return prepare(images), labels

    def near(epoch):
        return visits(1, epoch, split.labels, kind=order)

    augment = Augmenter([mixing] * depth, seed=1, num_samples=len(split), fetch=fetch, near=near)
    batches = TrainingBatches(split, size, seed=1, prepare=prepare, augment=augment, reader=reader, order=order)
    return [batch.inputs for window in batches.windows(4, start) for batch in window]


@pytest.mark.parametrize(("depth", "order"), [(1, "table"), (2, "table"), (1, "keyed")])
def test_mixing_partners_are_not_read_twice(tmp_path, depth, order):
    """All but those of an epoch's first samples, which come from its end, were read just before."""
    split = Counting(encoded(photographs(tmp_path, train=300, test=0)))
    mixed(split, depth=depth, order=order)
    assert set(split.read) == set(range(300))
    assert sum(split.read.values()) <= 300 + depth * NEAR
    mixed(Subset(split, torch.arange(299, 99, -1)), depth=depth, order=order)


@pytest.mark.parametrize(("start", "order"), [(0, "table"), (3, "table"), (7, "table"), (3, "keyed")])
def test_partners_are_the_same_in_memory_streamed_and_where_an_epoch_goes_on(root, start, order):
    """What is remembered saves reading and changes no bit."""
    split = encoded(root)
    held = zoo.TensorImages(*split.batch(torch.arange(len(split))), partners="near")
    whole = mixed(held, depth=2, order=order)[start:]
    assert all(map(torch.equal, whole, mixed(split, depth=2, start=start, order=order)))


def test_a_split_in_memory_has_no_threads():
    """It is indexed, and that is all."""
    batches = read_batches(small_split(20), torch.arange(20).split(5), readers=4)
    next(batches)
    assert reading_threads() == []
