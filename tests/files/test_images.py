"""Reading image files."""

from __future__ import annotations

import io
import os
import struct
import threading
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

import zoo
from zoo.files import images


@pytest.fixture
def photo() -> Image.Image:
    """A colour image of 40 x 30 pixels in which no two corners are alike."""
    red, green = np.meshgrid(np.linspace(0, 255, 40), np.linspace(0, 255, 30))
    return Image.fromarray(np.stack([red, green, 255 - red], axis=2).astype(np.uint8))


def saved(path, image: Image.Image, **options):
    image.save(path, **options)
    return path


@pytest.mark.parametrize("ending", ["png", "bmp", "gif", "tif", "ppm", "webp", "jpg"])
def test_every_format_comes_back_as_it_was_saved(tmp_path, photo, ending):
    """The pixels are those that were saved, exactly or as near as the format's compression goes."""
    options = {"lossless": True} if ending == "webp" else {}
    path = saved(tmp_path / f"photo.{ending}", photo, **options)

    found = zoo.read_image(path, channels=3)

    expected = torch.from_numpy(np.array(photo)).permute(2, 0, 1)
    assert found.dtype == torch.uint8
    assert found.is_contiguous()
    assert found.shape == (3, 30, 40)
    tolerance = {"gif": 60, "jpg": 12}.get(ending, 0)
    assert (found.int() - expected.int()).abs().max() <= tolerance
    assert zoo.probe_image(path) == (3, 30, 40)


def test_the_content_decides_and_not_the_name(tmp_path, photo):
    """A PNG named as a JPEG, or without an ending, is read."""
    path = tmp_path / "photo.jpg"
    saved(path, photo, format="PNG")
    assert zoo.read_image(path, channels=3).shape == (3, 30, 40)


def test_grey_becomes_colour_by_repetition_and_colour_grey_by_luma(tmp_path, photo):
    """Both conversions are the documented ones."""
    grey = zoo.read_image(saved(tmp_path / "a.png", photo.convert("L")), channels=3)
    assert torch.equal(grey[0], grey[1])
    assert torch.equal(grey[0], grey[2])
    colour = saved(tmp_path / "b.png", photo)
    luma = torch.tensor([0.299, 0.587, 0.114]) @ zoo.read_image(colour, channels=3).float().flatten(1)
    found = zoo.read_image(colour, channels=1)
    assert (found.flatten() - luma).abs().max() < 1


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_becomes_white(tmp_path, mode):
    """A black image, its left half transparent, is white on the left."""
    image = Image.new("RGBA", (4, 2), (0, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 2, 2))
    path = saved(tmp_path / "half.png", image.convert(mode) if mode != "P" else image.quantize())
    assert zoo.read_image(path, channels=1).tolist() == [[[255, 255, 0, 0]] * 2]
    assert zoo.read_image(path, channels=3).tolist() == [[[255, 255, 0, 0]] * 2] * 3


def test_half_transparent_black_is_grey(tmp_path):
    """Transparency is blended, not cut."""
    path = saved(tmp_path / "half.png", Image.new("RGBA", (1, 1), (0, 0, 0, 51)))
    assert zoo.read_image(path, channels=1).item() == 204


def test_a_transparent_colour_of_a_png_without_alpha_becomes_white(tmp_path):
    """A tRNS chunk of a grey PNG is honoured."""
    image = Image.fromarray(np.array([[0, 7, 200]], dtype=np.uint8))
    path = saved(tmp_path / "grey.png", image, transparency=7)
    assert zoo.read_image(path, channels=1).tolist() == [[[0, 255, 200]]]


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_16_bits_are_rounded_to_8(tmp_path, ending):
    """White stays white and black black, and what is between is rounded."""
    values = np.array([[0, 128, 129, 257, 32768, 65535]], dtype=np.uint16)
    path = saved(tmp_path / f"deep.{ending}", Image.fromarray(values))
    assert zoo.read_image(path, channels=1).tolist() == [[[0, 0, 1, 1, 128, 255]]]
    assert zoo.probe_image(path).channels == 1


@pytest.mark.parametrize(("mode", "value"), [("I", 70_000), ("F", 0.5)])
def test_pixels_whose_white_is_unknown_are_refused(tmp_path, mode, value):
    """32-bit and floating-point pixels are an error, not a guess."""
    path = saved(tmp_path / "deep.tif", Image.new(mode, (2, 2), value))
    with pytest.raises(zoo.DamagedError, match="whose white is unknown"):
        zoo.read_image(path, channels=1)


def test_one_bit_and_palettes_are_read(tmp_path):
    """Black and white are 0 and 255; a palette of greys counts as grey, one of colours as colour."""
    bits = saved(tmp_path / "bits.png", Image.fromarray(np.array([[True, False]])))
    assert zoo.read_image(bits, channels=1).tolist() == [[[255, 0]]]
    grey = saved(tmp_path / "grey.gif", Image.fromarray(np.array([[5, 9]], dtype=np.uint8)))
    assert zoo.probe_image(grey).channels == 1
    assert zoo.read_image(grey, channels=1).tolist() == [[[5, 9]]]
    colour = saved(tmp_path / "colour.png", Image.new("RGB", (2, 2), "red").quantize())
    assert zoo.probe_image(colour).channels == 3
    assert zoo.read_image(colour, channels=3)[:, 0, 0].tolist() == [255, 0, 0]


def test_cmyk_is_read(tmp_path, photo):
    """A CMYK JPEG becomes RGB."""
    path = saved(tmp_path / "print.jpg", photo.convert("CMYK"), quality=95)
    expected = torch.from_numpy(np.array(photo.convert("CMYK").convert("RGB"))).permute(2, 0, 1)
    assert (zoo.read_image(path, channels=3).int() - expected.int()).abs().float().mean() < 5


def test_a_phones_several_pictures_in_one_jpeg_are_read(tmp_path, photo):
    """Of an MPO file, which phones call JPEG, the first picture counts."""
    path = tmp_path / "phone.jpg"
    photo.save(path, format="MPO", save_all=True, append_images=[photo.rotate(180)], quality=95)
    expected = torch.from_numpy(np.array(photo)).permute(2, 0, 1)
    assert (zoo.read_image(path, channels=3).int() - expected.int()).abs().float().mean() < 4


@given(
    mode=st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK"]),
    ending=st.sampled_from(["png", "tif", "bmp", "gif", "webp", "jpg"]),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    size=st.none() | st.tuples(st.integers(1, 50), st.integers(1, 50)),
)
def test_header_and_pixels_agree_for_any_mode_format_and_size(tmp_path_factory, mode, ending, height, width, size):
    """The header's size is the decoded one; a grey header promises that nothing is lost by reading it as grey."""
    path = tmp_path_factory.mktemp("any") / f"image.{ending}"
    noise = np.random.default_rng(height * 41 + width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    image = Image.fromarray(noise).convert("L" if mode == "I;16" else mode).convert(mode)
    try:
        image.save(path)
    except (OSError, ValueError):
        assume(False)  # the format has no such mode
    header = zoo.probe_image(path)
    colour = zoo.read_image(path, channels=3, size=size)
    grey = zoo.read_image(path, channels=1, size=size)
    assert header[1:] == (height, width)
    assert colour.shape == (3, *(size or (height, width)))
    assert grey.shape == (1, *(size or (height, width)))
    if header.channels == 1:
        assert torch.equal(colour, grey.expand(3, -1, -1))


def test_damaged_exif_is_ignored(tmp_path, photo):
    """A damaged note about the image is no damaged image."""
    path = saved(tmp_path / "a.jpg", photo, exif=b"Exif\0\0II*\0\xff\xff\xff\xff\x01\x02")
    assert zoo.read_image(path, channels=3).shape == (3, 30, 40)


@pytest.mark.parametrize("size", [(15, 20), (60, 80), (7, 33), (30, 40), (1, 1)])
@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_resizing_keeps_the_whole_image_and_its_mean(tmp_path, photo, size, ending):
    """The image is stretched to the size, nothing is cut off: gradients stay gradients from edge to edge."""
    path = saved(tmp_path / f"a.{ending}", photo)
    found = zoo.read_image(path, channels=3, size=size)
    assert found.shape == (3, *size)
    assert found.float().mean() == pytest.approx(np.array(photo).mean(), abs=3)
    if min(size) > 5:
        assert found[0, 0, 0] < 40
        assert found[0, 0, -1] > 215
        assert found[1, -1, 0] > 200


def test_shrinking_is_antialiased(tmp_path):
    """Stripes of one pixel become grey, not stripes of chance."""
    stripes = np.tile(np.array([0, 255], dtype=np.uint8), (64, 64))
    for ending in ("png", "bmp"):
        path = saved(tmp_path / f"stripes.{ending}", Image.fromarray(stripes))
        found = zoo.read_image(path, channels=1, size=(16, 16)).float()
        assert (found - 127.5).abs().max() < 20


def test_a_large_jpeg_is_decoded_smaller_and_looks_the_same(tmp_path, photo):
    """Decoding at a fraction changes the result by a few levels at most."""
    large = photo.resize((1600, 1200), Image.Resampling.BICUBIC)
    jpeg, png = saved(tmp_path / "a.jpg", large, quality=95), saved(tmp_path / "a.png", large)
    found, expected = (zoo.read_image(path, channels=3, size=(32, 48)).int() for path in (jpeg, png))
    assert (found - expected).abs().max() <= 6


def test_the_first_picture_of_an_animation_counts(tmp_path):
    """Of an animated GIF, the first frame is read."""
    frames = [Image.new("L", (3, 3), level) for level in (10, 200)]
    path = tmp_path / "a.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert zoo.read_image(path, channels=1).unique().tolist() == [10]


def outcome(path):
    """Return what reading says and what it gives, one of them None."""
    try:
        return None, zoo.read_image(path, channels=3)
    except zoo.DamagedError as error:
        return str(error), None


def test_every_truncation_is_an_error_or_the_whole_image(tmp_path, photo):
    """A file that is cut short never comes back as an image with a part missing."""
    for ending in ("png", "jpg", "webp", "gif", "bmp", "tif"):
        buffer = io.BytesIO()
        photo.save(buffer, format={"jpg": "JPEG", "tif": "TIFF"}.get(ending, ending))
        path = tmp_path / f"cut.{ending}"
        path.write_bytes(buffer.getvalue())
        whole = zoo.read_image(path, channels=3)
        for length in range(0, len(buffer.getvalue()), 37):
            path.write_bytes(buffer.getvalue()[:length])
            error, found = outcome(path)
            assert found is None or torch.equal(found, whole)
            assert found is not None or (repr(str(path)) in error and "\n" not in error)


def test_flipped_bytes_are_an_error_or_an_image(tmp_path, photo):
    """Whatever a decoder raises over damaged bytes comes out as DamagedError."""
    generator = np.random.default_rng(0)
    for ending in ("png", "jpg", "webp", "gif", "bmp", "tif", "ppm"):
        buffer = io.BytesIO()
        photo.save(buffer, format={"jpg": "JPEG", "tif": "TIFF"}.get(ending, ending))
        content = buffer.getvalue()
        path = tmp_path / f"flipped.{ending}"
        for position in [*range(60), *generator.integers(len(content), size=40)]:
            flipped = bytearray(content)
            flipped[position] ^= generator.integers(1, 256)
            path.write_bytes(flipped)
            try:
                zoo.probe_image(path)
                found = zoo.read_image(path, channels=3, size=(30, 40))
            except zoo.DamagedError:
                continue
            assert found.shape == (3, 30, 40)


@pytest.mark.parametrize("content", [b"", b"hello", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"])
def test_what_is_no_image_is_named(tmp_path, content):
    """An empty file, a text, and a format that starts other programs are no images."""
    path = tmp_path / "photo.png"
    path.write_bytes(content)
    for read in (zoo.probe_image, lambda path: zoo.read_image(path, channels=3)):
        with pytest.raises(zoo.DamagedError, match="is no image that zoo reads") as caught:
            read(path)
        assert str(path) in str(caught.value)
        assert caught.value.exit_code == 4


def test_missing_paths_folders_and_pipes_are_wrong_usage(tmp_path):
    """What is no file is exit code 2, at once, even where opening would wait for ever."""
    os.mkfifo(tmp_path / "pipe")
    for name, why in (("none.png", "No such file"), (".", "a folder"), ("pipe", "no regular file"), ("a\0b", "null")):
        with pytest.raises(zoo.UsageError, match=why) as caught:
            zoo.read_image(str(tmp_path / name), channels=1)
        assert caught.value.exit_code == 2


@pytest.mark.parametrize(("channels", "size"), [(2, None), (0, None), (1, (0, 5)), (3, (5, -1))])
def test_impossible_requests_are_wrong_usage(tmp_path, photo, channels, size):
    """Channels other than 1 and 3, and sizes below 1, are refused."""
    path = saved(tmp_path / "a.png", photo)
    with pytest.raises(zoo.UsageError, match=r"channel|resized"):
        zoo.read_image(path, channels=channels, size=size)


def png_of_size(width: int, height: int) -> bytes:
    """Return a PNG whose header claims a size, with hardly any data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("width", "height"), [(10_000, 9_000), (30_000, 30_000), (2**31 - 1, 2**31 - 1)])
def test_decompression_bombs_are_refused_before_they_are_decoded(tmp_path, width, height):
    """Too many pixels are refused by the header, just above the limit as well as far beyond."""
    path = tmp_path / "bomb.png"
    path.write_bytes(png_of_size(width, height))
    for read in (zoo.probe_image, lambda path: zoo.read_image(path, channels=1, size=(8, 8))):
        with pytest.raises(zoo.DamagedError, match="pixels, more than the 89,478,485"):
            read(path)


def test_pillows_warnings_do_not_reach_the_user_from_any_thread(tmp_path, photo, monkeypatch):
    """Odd metadata warns inside Pillow; in eight threads at once no warning escapes, and the filters are restored."""
    path = saved(tmp_path / "a.png", photo)
    opened = images.Image.open

    def warning_open(*args, **options):
        warnings.warn("odd metadata", UserWarning, stacklevel=1)
        barrier.wait(timeout=20)
        return opened(*args, **options)

    monkeypatch.setattr(images.Image, "open", warning_open)
    before = list(warnings.filters)
    barrier = threading.Barrier(8)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: zoo.read_image(path, channels=3), range(8)))
    assert all(torch.equal(image, found[0]) for image in found)
    assert warnings.filters == before
