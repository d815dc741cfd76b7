"""Sets of images that hold no picture."""

from __future__ import annotations

import pytest
import torch

import zoo
from zoo.data.one_colour import one_colour


def split(images: torch.Tensor) -> zoo.TensorImages:
    return zoo.TensorImages(images, torch.zeros(len(images), dtype=torch.int64))


@pytest.mark.parametrize(
    ("levels", "said"),
    [((0, 0, 0), "are all black and"), ((255, 254, 255), "are all white and"), ((9, 0, 80), "one colour, 9, 0, 80 of")],
)
@pytest.mark.parametrize("count", [1, 2, 16, 500])
def test_a_set_of_one_colour_is_told(levels: tuple[int, int, int], said: str, count: int):
    """With what it is, and the usual reason."""
    images = torch.tensor(levels, dtype=torch.uint8).reshape(1, 3, 1, 1).expand(count, 3, 4, 5).contiguous()
    note = one_colour(split(images))
    assert note is not None
    assert said in note
    assert note.startswith(f"{min(count, 16)} training images")


def test_rounding_noise_is_one_colour():
    """16-bit values of a few hundreds come out as 0 and 1."""
    assert one_colour(split(torch.randint(0, 3, (40, 1, 8, 8), dtype=torch.uint8))) is not None


@pytest.mark.parametrize("where", [0, 299, 300])
def test_one_other_pixel_is_a_picture(where: int):
    """The first image and the last are among those that are looked at, and the last but one is not."""
    images = torch.zeros(301, 1, 4, 4, dtype=torch.uint8)
    images[where, 0, 3, 3] = 9
    assert (one_colour(split(images)) is None) is (where != 299)


def test_images_of_a_colour_each_are_different():
    """Their colours may be what tells the classes apart."""
    levels = torch.arange(8, dtype=torch.uint8).reshape(8, 1, 1, 1) * 20
    assert one_colour(split(levels.expand(8, 1, 3, 3).contiguous())) is None
