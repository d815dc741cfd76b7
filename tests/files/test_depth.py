"""Samples of any depth and transparency, as 8 bits on white."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from png_files import COLOUR, COLOUR_ALPHA, GREY, GREY_ALPHA, deep_png, shallow_png

import zoo


def row(path: Path, channels: int = 1) -> list[int]:
    """Return the first row of the first channel."""
    found: list[int] = zoo.read_image(path, channels=channels)[0, 0].tolist()
    return found


def test_16_bits_are_rounded_in_grey_and_in_colour_alike(tmp_path: Path):
    """Pillow cuts colour off where grey is rounded; a picture is the same either way."""
    values = [0, 128, 129, 255, 257, 32768, 65280, 65535]
    rounded = [0, 0, 1, 1, 1, 128, 254, 255]
    grey = deep_png(tmp_path / "grey.png", GREY, [values])
    colour = deep_png(tmp_path / "colour.png", COLOUR, [[v for value in values for v in [value] * 3]])
    assert row(grey) == row(grey, 3) == row(colour, 3) == rounded


@settings(max_examples=30)
@given(values=st.lists(st.tuples(*[st.integers(0, 65535)] * 4), min_size=1, max_size=12))
def test_16_bit_colour_with_alpha_is_blended_before_it_is_rounded(tmp_path_factory, values):
    """What comes out is white where nothing is, and the exact blend between."""
    path = deep_png(tmp_path_factory.mktemp("deep") / "a.png", COLOUR_ALPHA, [[v for pixel in values for v in pixel]])
    samples = np.array(values, dtype=np.float64)
    alpha = samples[:, 3:] / 65535
    expected = (samples[:, :3] * alpha + 65535 * (1 - alpha)) / 257
    found = zoo.read_image(path, channels=3)[:, 0].T.numpy()
    assert np.abs(found - expected).max() < 0.51


def test_16_bit_grey_with_alpha_is_grey(tmp_path: Path):
    """Pillow makes colour of it; its header and its pixels say grey here."""
    path = deep_png(tmp_path / "a.png", GREY_ALPHA, [[1000, 65535, 30000, 0, 30000, 32768]])
    assert zoo.probe_image(path).channels == 1
    assert row(path) == [4, 255, 186]
    assert torch.equal(zoo.read_image(path, channels=3), zoo.read_image(path, channels=1).expand(3, -1, -1))


def test_rows_and_filters_of_16_bit_colour_are_kept_apart(tmp_path: Path):
    """The two halves of each sample come from two decodings of all rows."""
    rows = np.random.default_rng(0).integers(0, 65536, (5, 21))
    path = deep_png(tmp_path / "a.png", COLOUR, rows.tolist())
    expected = (rows.reshape(5, 7, 3) + 128) // 257
    assert np.array_equal(zoo.read_image(path, channels=3).permute(1, 2, 0).numpy(), expected)


@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bit_colour_of_a_tiff_is_rounded(tmp_path: Path, order: str):
    """In either byte order."""
    samples = [255, 65280, 129, 65535, 0, 128]
    tags = [(256, 3, 1, 2), (257, 3, 1, 1), (258, 3, 3, 160), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 170)]
    tags += [(277, 3, 1, 3), (278, 3, 1, 1), (279, 4, 1, 12), (282, 5, 1, 200), (283, 5, 1, 200)]
    body = struct.pack(f"{order}H", len(tags))
    for number, kind, count, value in tags:
        wide = kind == 3 and count == 1
        body += struct.pack(f"{order}HHI", number, kind, count) + struct.pack(
            order + ("HH" if wide else "I"), *((value, 0) if wide else (value,))
        )
    content = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8) + body + bytes(4)
    content = content.ljust(160, b"\0") + struct.pack(f"{order}3H", 16, 16, 16)
    content = content.ljust(170, b"\0") + struct.pack(f"{order}6H", *samples)
    (tmp_path / "a.tif").write_bytes(content.ljust(200, b"\0") + struct.pack(f"{order}II", 72, 1))
    assert zoo.read_image(tmp_path / "a.tif", channels=3)[:, 0].T.flatten().tolist() == [1, 254, 1, 255, 0, 0]


@pytest.mark.parametrize(("kind", "bands"), [(GREY, 1), (COLOUR, 3)])
def test_the_transparent_value_of_16_bits_is_white(tmp_path: Path, kind: int, bands: int):
    """That value to the bit, and no other that is rounded to the same."""
    path = deep_png(tmp_path / "a.png", kind, [[1000] * bands + [1001] * bands], [1000] * bands)
    assert row(path, 3) == [255, 4]


@pytest.mark.parametrize(
    ("bits", "step", "upper"), [(1, 255, 0), *[(b, s, u) for b, s in ((2, 85), (4, 17), (8, 1)) for u in (0, 0x4100)]]
)
def test_the_transparent_value_of_few_bits_is_on_their_own_scale(tmp_path: Path, bits: int, step: int, upper: int):
    """The file says 1 of 15, which is drawn as 17 of 255; of the 16 bits it says it in, the upper ones mean nothing."""
    for value in (0, 1):
        path = shallow_png(tmp_path / "a.png", bits, [0, 1, 0], value | upper)
        assert row(path) == [255 if pixel == value else pixel * step for pixel in (0, 1, 0)]
        assert zoo.probe_image(path).channels == 1


def bmp(path: Path, pixels: list[int], mask: int = 0xFF000000) -> Path:
    """Write a BMP of 32 bits, one row, with a mask for alpha."""
    size = len(pixels) // 4
    head = struct.pack("<IiiHHIIiiII", 124, size, 1, 1, 32, 3, len(pixels), 2835, 2835, 0, 0)
    head += struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, mask) + b"BGRs" + bytes(48) + struct.pack("<IIII", 4, 0, 0, 0)
    path.write_bytes(
        b"BM" + struct.pack("<IHHI", 14 + len(head) + len(pixels), 0, 0, 14 + len(head)) + head + bytes(pixels)
    )
    return path


def test_a_bmp_whose_alphas_are_all_0_has_none(tmp_path: Path):
    """Its writer left the byte empty: Windows shows the picture, and white would be all that is left of it."""
    path = bmp(tmp_path / "a.bmp", [0, 0, 255, 0, 255, 0, 0, 0])
    assert zoo.read_image(path, channels=3)[:, 0].T.tolist() == [[255, 0, 0], [0, 0, 255]]


def test_a_bmp_with_alphas_has_them(tmp_path: Path):
    """One that is not 0 shows that they are meant."""
    path = bmp(tmp_path / "a.bmp", [0, 0, 255, 255, 255, 0, 0, 0])
    assert zoo.read_image(path, channels=3)[:, 0].T.tolist() == [[255, 0, 0], [255, 255, 255]]


def test_a_png_that_is_all_transparent_is_white(tmp_path: Path):
    """Other formats mean what they say."""
    Image.new("RGBA", (2, 1), (255, 0, 0, 0)).save(tmp_path / "a.png")
    assert zoo.read_image(tmp_path / "a.png", channels=3).unique().tolist() == [255]
