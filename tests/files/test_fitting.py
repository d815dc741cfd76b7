"""Pictures of one aspect as inputs of another."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import zoo
from zoo.files.fitting import FITS, PADDING, placement

SIDES = st.integers(1, 3000)
SIZES = st.tuples(SIDES, SIDES)


@given(SIZES, SIZES, st.sampled_from(FITS))
def test_a_part_lies_within_the_picture_and_within_the_input(whole: tuple[int, int], size: tuple[int, int], fit: str):
    """In its middle, up to a pixel; all of the picture is used, or all of the input is filled, or both."""
    place = placement(whole, size, fit)
    for first, length, outer in zip(
        (place.top, place.left, place.row, place.column), (*place.part, *place.inner), (*whole, *size), strict=True
    ):
        assert first >= 0
        assert length >= 1
        assert 0 <= outer - length - 2 * first <= 1
    assert place.part == whole or fit == "crop"
    assert place.inner == size or fit == "pad"


@given(SIZES, SIZES, st.sampled_from(("pad", "crop")))
def test_the_aspect_is_kept_to_a_pixel(whole: tuple[int, int], size: tuple[int, int], fit: str):
    """One side is as long as can be, and the other differs from what it should be by half a pixel at most."""
    place = placement(whole, size, fit)
    found, bounds, shape = (place.part, whole, size) if fit == "crop" else (place.inner, size, whole)
    scale = min(bounds[0] / shape[0], bounds[1] / shape[1])
    for length, side in zip(found, shape, strict=True):
        assert abs(length - max(1.0, scale * side)) <= 0.5 + 1e-6


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """A picture of 20 x 60: red, green and blue squares, side by side."""
    picture = Image.new("RGB", (60, 20), (255, 0, 0))
    picture.paste((0, 255, 0), (20, 0, 40, 20))
    picture.paste((0, 0, 255), (40, 0, 60, 20))
    picture.save(tmp_path / "wide.png")
    return tmp_path / "wide.png"


def test_a_wide_picture_is_cropped_to_its_middle(wide: Path):
    """Which is green."""
    pixels = zoo.read_image(wide, channels=3, size=(10, 10), fit="crop")
    assert torch.equal(pixels, torch.tensor([0, 255, 0], dtype=torch.uint8).view(3, 1, 1).expand(3, 10, 10))


def test_a_wide_picture_is_padded_above_and_below(wide: Path):
    """With grey, all colours between."""
    pixels = zoo.read_image(wide, channels=3, size=(12, 12), fit="pad")
    assert (pixels[:, :4] == PADDING).all()
    assert (pixels[:, 8:] == PADDING).all()
    assert pixels[:, 4:8, 0].unique(dim=1).flatten().tolist() == [255, 0, 0]
    assert pixels[:, 4:8, 11].unique(dim=1).flatten().tolist() == [0, 0, 255]


@pytest.mark.parametrize("fit", FITS)
def test_a_picture_that_is_turned_by_its_note_is_fitted_upright(wide: Path, fit: str):
    """It becomes what the same pixels become where they are stored upright."""
    stored = Image.open(wide).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    stored.save(wide.with_name("turned.png"), exif=exif)
    turned, upright = (
        zoo.read_image(path, channels=3, size=(9, 12), fit=fit) for path in (wide.with_name("turned.png"), wide)
    )
    assert (turned.int() - upright.int()).abs().max() <= 1


def test_a_picture_of_the_inputs_aspect_is_the_same_in_every_way(tmp_path: Path):
    """Nothing is to be stretched, padded or cropped."""
    Image.effect_noise((40, 30), 80).save(tmp_path / "noise.png")
    ways = [zoo.read_image(tmp_path / "noise.png", channels=1, size=(15, 20), fit=fit) for fit in FITS]
    assert torch.equal(ways[0], ways[1])
    assert torch.equal(ways[0], ways[2])


def test_another_way_is_one_line(wide: Path):
    """With those that there are."""
    with pytest.raises(zoo.UsageError, match="fit must be one of stretch, pad, crop, not 'letterbox'"):
        zoo.read_image(wide, channels=3, size=(4, 4), fit="letterbox")
