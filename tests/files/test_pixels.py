"""The fast path of plain JPEGs, and the one resizing."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional

import zoo
from zoo.files import pixels


def photo(seed: int, height: int, width: int, mode: str = "RGB") -> Image.Image:
    """Return smooth waves with some noise, as cameras see."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [np.sin(columns / generator.uniform(3, 30)) + np.cos(rows / generator.uniform(3, 30)) for _ in range(3)]
    noise = generator.normal(0, 9, (height, width, 3))
    return Image.fromarray((np.stack(waves, 2) * 60 + 128 + noise).clip(0, 255).astype(np.uint8)).convert(mode)


KINDS = list(itertools.product(["RGB", "L"], [30, 75, 95], [0, 1, 2], [False, True]))


@pytest.mark.parametrize(("mode", "quality", "subsampling", "progressive"), KINDS)
def test_a_plain_jpeg_has_pillows_bits(tmp_path, monkeypatch, mode, quality, subsampling, progressive):
    """Grey and colour, any quality, subsampling and order of coefficients, sizes that are no multiple of a block."""
    for seed, (height, width) in enumerate([(33, 47), (64, 64), (1, 9)]):
        path = tmp_path / f"{seed}.jpg"
        photo(seed, height, width, mode).save(
            path, quality=quality, subsampling=subsampling, progressive=progressive, icc_profile=b"x" * 99
        )
        with monkeypatch.context() as patch:
            patch.setattr(pixels, "decode_plain_jpeg", lambda *_: None)
            expected = zoo.read_image(path, channels=3)
        assert np.array_equal(expected, np.array(Image.open(path).convert("RGB")).transpose(2, 0, 1))
        assert torch.equal(zoo.read_image(path, channels=3), expected)


@pytest.mark.filterwarnings("ignore:The image decoding and encoding:DeprecationWarning")
def test_the_fast_path_is_taken_for_plain_jpegs_alone(tmp_path):
    """Another format, another colour space, colour that becomes grey and a damaged file are left to Pillow."""
    taken = {}
    for name, image, channels in [
        ("plain.jpg", photo(0, 9, 9), 3),
        ("grey.jpg", photo(0, 9, 9, "L"), 1),
        ("to_grey.jpg", photo(0, 9, 9), 1),
        ("print.jpg", photo(0, 9, 9, "CMYK"), 3),
        ("other.png", photo(0, 9, 9), 3),
    ]:
        image.save(tmp_path / name)
        with (tmp_path / name).open("rb") as file, Image.open(file) as found:
            taken[name] = pixels.decode_plain_jpeg(found, file, channels) is not None
    assert [name for name, fast in taken.items() if fast] == ["plain.jpg", "grey.jpg"]
    data = (tmp_path / "plain.jpg").read_bytes()
    with Image.open(io.BytesIO(data)) as found:
        assert pixels.decode_plain_jpeg(found, io.BytesIO(data[: len(data) // 2]), 3) is None


@pytest.mark.parametrize("size", [(20, 20), (10, 33), (60, 90)])
@pytest.mark.parametrize("channels", [1, 3])
def test_resizing_is_torchvisions_antialiased_one(tmp_path, size, channels):
    """Its bits, from the decoder's layout of memory, and within a level of Pillow's."""
    image = photo(1, 40, 50, "L" if channels == 1 else "RGB")
    path = tmp_path / "a.png"
    image.save(path)
    found = zoo.read_image(path, channels=channels, size=size)
    whole = zoo.read_image(path, channels=channels)
    assert torch.equal(found, functional.resize(whole, list(size), antialias=True))
    pillow = np.array(image.resize((size[1], size[0]), Image.Resampling.BILINEAR)).reshape(*size, channels)
    assert np.abs(found.permute(1, 2, 0).numpy().astype(int) - pillow).max() <= 1


def test_a_photograph_of_twice_the_size_is_decoded_at_half(tmp_path, monkeypatch):
    """From twice the size on, along both sides; a photograph on its side is measured as it stands upright."""
    drafts = []
    monkeypatch.setattr(pixels, "resized_upright", lambda found, *_: drafts.append(tuple(found.shape[1:])) or found)
    exif = Image.Exif()
    exif[0x0112] = 6
    photo(0, 400, 800).save(tmp_path / "a.jpg")
    photo(0, 400, 800).save(tmp_path / "b.jpg", exif=exif)
    for name, size in [("a.jpg", (201, 100)), ("a.jpg", (200, 400)), ("a.jpg", (50, 100)), ("b.jpg", (400, 200))]:
        zoo.read_image(tmp_path / name, channels=3, size=size)
    assert drafts == [(400, 800), (200, 400), (50, 100), (200, 400)]


def test_without_torchvisions_decoder_pillow_reads_everything(tmp_path, monkeypatch):
    """It is announced to go: its absence costs time and no bit."""
    photo(0, 20, 30).save(tmp_path / "a.jpg")
    expected = zoo.read_image(tmp_path / "a.jpg", channels=3)
    monkeypatch.setattr(pixels, "decoder", lambda: None)
    assert torch.equal(zoo.read_image(tmp_path / "a.jpg", channels=3), expected)


def test_bytes_between_a_jpegs_segments_are_left_to_pillow(tmp_path, capfd):
    """The fast decoder would take them, too, and write to stderr of each such file."""
    path = tmp_path / "odd.jpg"
    photo(0, 9, 9).save(path)
    content = path.read_bytes()
    before = zoo.read_image(path, channels=3)
    table = content.index(b"\xff\xdb")
    path.write_bytes(content[:table] + b"extra" + content[table:])
    assert torch.equal(zoo.read_image(path, channels=3), before)
    assert capfd.readouterr().err == ""
