"""Images that a program hands over."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import zoo
from zoo.files.given import name_of, read_given


@pytest.fixture
def photo() -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def encoded(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [None, (4, 5), (20, 3)])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "1"])
def test_every_way_of_giving_an_image_gives_the_same(tmp_path: Path, photo: Image.Image, channels, size, mode):
    """A file, its bytes, Pillow's image of it and the array of its pixels."""
    image = photo.convert(mode)
    if mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    path = tmp_path / "a.png"
    path.write_bytes(encoded(image))
    expected = zoo.read_image(path, channels=channels, size=size)
    ways: list[Any] = [path, str(path), path.read_bytes(), image, Image.open(path)]
    if mode in ("RGB", "L", "RGBA"):
        ways += [np.array(image), np.asfortranarray(np.array(image))]
    if mode == "L":
        ways.append(np.array(image)[:, :, None])
    for way in ways:
        assert torch.equal(read_given(way, "it", channels=channels, size=size), expected)


def test_an_opened_image_is_turned_upright(photo: Image.Image):
    """As the file is."""
    tags = Image.Exif()
    tags[0x0112] = 6
    data = encoded(photo, exif=tags)
    found = read_given(Image.open(io.BytesIO(data)), "it", channels=3)
    assert found.shape == (3, 9, 6)
    assert torch.equal(found, read_given(data, "it", channels=3))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4), dtype=np.float32),
        np.zeros((4, 4), dtype=np.uint16),
        np.zeros((3, 4, 5, 5), dtype=np.uint8),
        np.zeros((4, 4, 2), dtype=np.uint8),
        np.zeros((0, 4), dtype=np.uint8),
        np.zeros(4, dtype=np.uint8),
    ],
    ids=lambda array: f"{array.dtype} {array.shape}",
)
def test_an_array_that_is_no_image_is_told_with_what_is_wanted(array):
    """Its white, or its channels, would be a guess."""
    with pytest.raises(zoo.UsageError, match=r"it must be an array uint8 \(H, W\) or .*, not "):
        read_given(array, "it", channels=1)


def test_what_is_no_image_at_all_is_told():
    """With what would be one."""
    with pytest.raises(zoo.UsageError, match="it must be a path, bytes, an image of Pillow's or a NumPy array, not a"):
        read_given(torch.zeros(3, 4, 4), "it", channels=1)  # type: ignore[arg-type]


def test_damaged_bytes_are_called_by_their_name(photo: Image.Image):
    """There is no file to name."""
    with pytest.raises(zoo.DamagedError, match=r"'images\[2\]' is a damaged image"):
        read_given(encoded(photo)[:90], "images[2]", channels=1)
    with pytest.raises(zoo.DamagedError, match=r"'images\[2\]' is no image that zoo reads"):
        read_given(b"", "images[2]", channels=1)


def test_names_are_files_or_places(tmp_path: Path, photo: Image.Image):
    """Whatever tells the images of a list apart."""
    photo.save(tmp_path / "a.png")
    assert name_of(tmp_path / "a.png", 3) == str(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as opened:
        assert name_of(opened, 3) == str(tmp_path / "a.png")
    assert name_of(photo, 3) == name_of(b"", 3) == name_of(np.zeros(1), 3) == "images[3]"
