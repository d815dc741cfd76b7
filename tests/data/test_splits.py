"""Held-out images, caps, and what is prepared of them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_images import small_split

from zoo.data import EvaluationBatches, Preparation, Subset, TrainingBatches, capped, hold_out, validation_count
from zoo.errors import UsageError


@given(sizes=st.lists(st.integers(1, 60), min_size=2, max_size=6), seed=st.integers(0, 99), data=st.data())
def test_the_validation_split_is_stratified_exact_and_seeded(sizes, seed, data):
    """Exactly N samples are held out, each class in proportion to within one, all others stay."""
    labels = torch.cat([torch.full((size,), k) for k, size in enumerate(sizes)])
    count = data.draw(st.integers(0, len(labels) - 1))
    kept, held = hold_out(labels, count, seed)
    assert len(held) == count
    assert sorted([*kept.tolist(), *held.tolist()]) == list(range(len(labels)))
    for k, size in enumerate(sizes):
        assert abs((labels[held] == k).sum().item() - count * size / len(labels)) <= 1
    assert torch.equal(held, hold_out(labels, count, seed)[1])


@pytest.mark.parametrize(
    ("total", "requested", "expected"),
    [
        (60_000, None, 5000),
        (50_000, None, 5000),
        (49_999, None, 5000),
        (1000, None, 100),
        (3, None, 1),
        (100, 0, 0),
        (100, 0.25, 25),
        (100, 7, 7),
    ],
)
def test_how_many_are_held_out(total, requested, expected):
    """5,000 where that is at most a tenth, else a tenth; a number or a fraction where one was given."""
    assert validation_count(total, requested) == expected


def test_a_validation_split_that_leaves_nothing_is_refused():
    """Something must be left to train on."""
    with pytest.raises(UsageError, match="leaves none to train on"):
        validation_count(100, 100)


def test_a_cap_keeps_the_share_of_each_class():
    """`data.limit` takes a stratified part, not the first class alone."""
    split = small_split(90)
    order = torch.sort(split.labels, stable=True).indices
    part = capped(Subset(split, order), 30, seed=0)
    assert torch.bincount(part.labels).tolist() == [10, 10, 10]
    assert capped(split, 90, seed=0) is split
    assert capped(split, None, seed=0) is split


def test_evaluation_batches_hold_every_sample_once_in_order():
    """The images come as they are stored, whatever the batch size."""
    split = small_split(11)
    batches = list(EvaluationBatches(split, 4, lambda images: images))
    assert [len(labels) for _, labels in batches] == [4, 4, 3]
    assert torch.equal(torch.cat([images for images, _ in batches]), split.images)


def test_training_batches_go_on_where_they_are_told_to():
    """Beginning with window k gives the very windows that a whole epoch has from k on."""
    batches = TrainingBatches(small_split(23), 4, seed=5, prepare=lambda images: images, accumulate=2)
    whole = [[batch.targets.tolist() for batch in window] for window in batches.windows(3)]
    rest = [[batch.targets.tolist() for batch in window] for window in batches.windows(3, start=1)]
    assert rest == whole[1:]
    assert batches.steps == len(whole) == 3


def test_preparation_normalises_each_channel():
    """Inputs are (pixel / 255 - mean) / std, a channel at a time."""
    images = torch.randint(0, 256, (2, 3, 5, 5), dtype=torch.uint8)
    mean, std = [0.1, 0.5, 0.7], [0.2, 0.3, 0.4]
    wanted = (images.double() / 255 - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    torch.testing.assert_close(Preparation(mean, std)(images).double(), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [(4, 4), (9, 7), (5, 5)])
def test_preparation_resizes_and_keeps_the_stored_images(size):
    """Inputs have the size that the model asks for; what is stored stays as it was."""
    images = torch.randint(0, 256, (2, 1, 5, 5), dtype=torch.uint8)
    before = images.clone()
    inputs = Preparation([0.5], [0.25], size=size, memory_format=torch.channels_last)(images)
    assert inputs.shape == (2, 1, *size)
    assert torch.equal(images, before)
