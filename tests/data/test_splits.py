"""Batches of a split, and what is prepared of them."""

from __future__ import annotations

import pytest
import torch
from small_images import small_split

from zoo.data import EvaluationBatches, Preparation, TrainingBatches


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
