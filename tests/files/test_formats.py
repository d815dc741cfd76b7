"""What is said of pictures that zoo does not read, and of those that are too large."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from PIL import Image, features

import zoo
from zoo.files import images
from zoo.files.formats import foreign


def container(brand: bytes, *others: bytes) -> bytes:
    """Return the beginning of an ISO container of these brands."""
    return b"\0\0\0\x1cftyp" + brand + bytes(4) + b"".join(others)


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (container(b"heic", b"mif1"), "a HEIC picture"),
        (container(b"mif1", b"heic"), "a HEIC picture"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture"),
        (b"\xff\x0a\0\0", "a JPEG XL picture"),
        (b"8BPS\0\1", "a Photoshop document"),
        (b"%PDF-1.7", "a PDF document"),
        (b"\xef\xbb\xbf\n <svg xmlns=", "an SVG drawing"),
    ],
)
def test_a_picture_of_another_kind_is_named_with_its_cure(tmp_path: Path, start: bytes, what: str):
    """Somebody with a telephone's pictures learns what they are and what to do."""
    path = tmp_path / "IMG_1.heic"
    path.write_bytes(start.ljust(99, b"\0"))
    for read in (zoo.probe_image, lambda path: zoo.read_image(path, channels=3)):
        with pytest.raises(zoo.DamagedError) as caught:
            read(path)
        assert str(caught.value) == (
            f"{str(path)!r} is {what}, which zoo does not read. Convert it to JPEG or PNG first, as with "
            "'magick IMG_1.heic IMG_1.jpg'."
        )


def test_an_avif_is_known_by_its_brand_where_pillow_lacks_it():
    """An older Pillow reads none, and the newer is the cure."""
    assert foreign(container(b"avif", b"mif1")) == "an AVIF picture"
    assert foreign(container(b"isom")) is None
    assert foreign(b"hello") is None
    assert "or upgrade Pillow" in images._unread("a.avif", container(b"avif"))


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_an_avif_is_read_upright(tmp_path: Path):
    """As any other picture."""
    tags = Image.Exif()
    tags[0x0112] = 6
    image = Image.new("RGB", (40, 20), (200, 30, 60))
    image.save(tmp_path / "a.avif", exif=tags, quality=90)
    assert zoo.probe_image(tmp_path / "a.avif") == (3, 40, 20)
    found = zoo.read_image(tmp_path / "a.avif", channels=3)
    assert (found.float().mean((1, 2)) - torch.tensor([200.0, 30.0, 60.0])).abs().max() < 8


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Image.Image:
    """A picture of 1600 x 1200 pixels where 100,000 are the limit, for Pillow as well."""
    monkeypatch.setattr(images, "MAX_PIXELS", 100_000)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100_000)
    return Image.linear_gradient("L").resize((1600, 1200))


def test_a_jpeg_over_the_limit_is_read_where_it_can_be_decoded_smaller(tmp_path: Path, large: Image.Image):
    """At a quarter or an eighth of its sides it is a scan like any other, and its header is told."""
    large.save(tmp_path / "a.jpg")
    assert zoo.probe_image(tmp_path / "a.jpg") == (1, 1200, 1600)
    found = zoo.read_image(tmp_path / "a.jpg", channels=1, size=(60, 80)).float()
    expected = torch.linspace(0, 255, 60).unsqueeze(1)
    assert (found[0] - expected).abs().max() < 6
    # 400 x 300 of its own pixels are over the limit; 200 x 150 leave less for the antialiasing.
    assert zoo.read_image(tmp_path / "a.jpg", channels=1, size=(100, 130)).shape == (1, 100, 130)


@pytest.mark.parametrize("size", [None, (400, 500)])
def test_a_jpeg_that_is_wanted_larger_than_it_can_be_decoded_is_refused(tmp_path: Path, large: Image.Image, size):
    """Half of its sides would do, if they were few enough pixels."""
    large.save(tmp_path / "a.jpg")
    with pytest.raises(zoo.DamagedError, match=r"has 1600 x 1200 pixels, more than|has \d+ x \d+ pixels, more than"):
        zoo.read_image(tmp_path / "a.jpg", channels=1, size=size)


@pytest.mark.parametrize(("name", "options"), [("a.png", {}), ("a.jpg", {"progressive": True})])
def test_what_cannot_be_decoded_smaller_keeps_the_limit(tmp_path: Path, large: Image.Image, name: str, options):
    """A PNG is decoded whole, and of a progressive JPEG all is held in memory."""
    large.save(tmp_path / name, **options)
    for read in (zoo.probe_image, lambda path: zoo.read_image(path, channels=1, size=(8, 8))):
        with pytest.raises(zoo.DamagedError, match="pixels, more than the"):
            read(tmp_path / name)


def test_what_pillow_logs_reaches_nobody_who_did_not_ask(capfd: pytest.CaptureFixture[str]):
    """Odd metadata is no news to somebody who trains; a program that listens to Pillow's logger still hears it."""
    logger = logging.getLogger("PIL.TiffImagePlugin")
    listening, logging.root.handlers = logging.root.handlers, []
    try:
        logger.error("More samples per pixel than can be decoded")
    finally:
        logging.root.handlers = listening
    assert capfd.readouterr().err == ""
