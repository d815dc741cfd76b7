"""What a dataset must be is looked at when it is made."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

import zoo


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
