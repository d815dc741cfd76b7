"""The module that is exported prepares images as the run does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from zoo.data import Preparation
from zoo.sharing.export_module import ExportedModel, ModelInFp32

_SIDES = st.integers(1, 40)


def both(prepare: Preparation, size: tuple[int, int], temperature: float | None = None) -> tuple[Any, Any]:
    """Return what a run makes of images, and the module that is exported of it."""
    network: Any = SimpleNamespace(model=nn.Flatten(), prepare_evaluation=prepare)
    plain = ModelInFp32(network)
    return plain, ExportedModel(plain, size, temperature).eval()


@given(_SIDES, _SIDES, _SIDES, _SIDES, st.sampled_from(["nearest", "bilinear", "bicubic"]))
def test_two_matrices_resize_as_the_preparation_does(h: int, w: int, height: int, width: int, how: str):
    """Whatever the sizes, a pixel included, whether a side grows or shrinks, and with which filter."""
    prepare = Preparation([0.4, 0.5, 0.6], [0.2, 0.25, 0.3], size=(height, width), interpolation=how)
    images = torch.randint(0, 256, (2, 3, h, w), dtype=torch.uint8, generator=torch.Generator().manual_seed(h * w))
    plain, exported = both(prepare, (h, w))
    torch.testing.assert_close(exported(images)[0], plain(images), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [None, (20, 14)])
def test_grey_images_are_repeated_for_a_model_of_colour(size: tuple[int, int] | None):
    """As pretrained weights want them."""
    prepare = Preparation([0.4, 0.5, 0.6], [0.2, 0.25, 0.3], size=size)
    images = torch.randint(0, 256, (3, 1, 10, 7), dtype=torch.uint8)
    plain, exported = both(prepare, (10, 7))
    assert exported(images)[0].shape == plain(images).shape
    torch.testing.assert_close(exported(images)[0], plain(images), rtol=1e-5, atol=1e-5)


def test_the_probabilities_are_tempered_and_the_logits_are_not():
    """A temperature of 2 halves what the softmax sees."""
    prepare = Preparation([0.5], [0.25])
    images = torch.randint(0, 256, (3, 1, 2, 2), dtype=torch.uint8)
    _, exported = both(prepare, (2, 2), temperature=2.0)
    logits, probabilities = exported(images)
    torch.testing.assert_close(probabilities, (logits / 2).softmax(1))
    assert torch.equal(logits, both(prepare, (2, 2))[1](images)[0])
