"""What a dataset must be is looked at when it is made."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

import zoo
from zoo.data import Subset, resident


def dataset(**changes: Any) -> zoo.Dataset:
    parts = {
        "train": zoo.TensorImages(torch.zeros(6, 1, 4, 4, dtype=torch.uint8), torch.arange(6) % 3),
        "test": zoo.TensorImages(torch.zeros(3, 1, 4, 4, dtype=torch.uint8), torch.arange(3)),
        "classes": ("auk", "gull", "tern"),
        "mean": [0.5],
        "std": [0.3],
    }
    return zoo.Dataset(**{**parts, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": ("auk",)}, "at least two classes"),
        ({"classes": ("auk", "auk", "tern")}, "two classes have one name"),
        ({"classes": ("auk", "gull")}, "the training labels go from 0 to 2, and there are 2 classes"),
        (
            {"test": zoo.TensorImages(torch.zeros(1, 1, 4, 4, dtype=torch.uint8), torch.tensor([-1]))},
            "the test labels go from -1 to -1.*from 0 to 2",
        ),
        ({"std": [0.0]}, "every std must be above 0"),
        ({"std": [math.nan]}, "every std must be above 0"),
        ({"mean": [math.inf]}, "every std must be above 0"),
        ({"mean": [0.5, 0.5]}, "must have 1 numbers each"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes: dict[str, Any], message: str):
    """Before a step is trained, in words that name the fault."""
    with pytest.raises(ValueError, match=message):
        dataset(**changes)


def test_a_sound_dataset_knows_its_facts():
    """Classes, channels and size."""
    assert dataset().facts == dataset().facts
    assert (dataset().num_classes, dataset().in_channels, dataset().facts.image_size) == (3, 1, (4, 4))


def named(**more) -> zoo.TensorImages:
    return zoo.TensorImages(torch.zeros(3, 1, 4, 4, dtype=torch.uint8), torch.arange(3), **more)


def test_samples_keep_their_names_and_sizes_through_subsets_and_devices():
    """A part of a part tells the names of its own images, in its own order; without names there are none."""
    split = named(names=["a/0", "a/1", "b/0"], sizes=[10, 11, 12])
    part = Subset(Subset(split, torch.tensor([2, 1])), torch.tensor([1, 0]))
    assert (part.names, part.sizes) == (["a/1", "b/0"], [11, 12])
    assert resident(split, "meta").names == split.names
    assert Subset(named(), torch.arange(2)).names is None


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"names": ["a", "b"]}, "names must be 3, one for each image, not 2"),
        ({"sizes": [1, 2, 3, 4]}, "sizes must be 3"),
        ({"names": ["a", "b", "a"]}, "two images are called 'a'"),
    ],
)
def test_names_that_cannot_be_told_apart_are_refused(more, why):
    """Whatever goes by names would confuse two images."""
    with pytest.raises(ValueError, match=why):
        named(**more)
