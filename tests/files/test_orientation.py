"""Which way up an image is, wherever it is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from png_files import chunk, chunks_of, joined

import zoo

TURNED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def upright() -> Image.Image:
    """An image of 40 x 30 pixels, no two of which are alike, and smooth, so that lossy formats keep it nearly."""
    red, green = np.meshgrid(np.linspace(0, 255, 40), np.linspace(0, 255, 30))
    return Image.fromarray(np.stack([red, green, 255 - red], axis=2).astype(np.uint8))


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def as_text(orientation: int) -> str:
    """EXIF as ImageMagick keeps it in a PNG: a name, a length, and lines of hexadecimal digits."""
    body = exif(orientation)
    lines = [body.hex()[i : i + 72] for i in range(0, 2 * len(body), 72)]
    return "\n".join(["", "exif", f"{len(body):8}", *lines, ""])


def noted(orientation: int, *, keyword: str, zipped: bool = True) -> PngInfo:
    text = PngInfo()
    if keyword == "XML:com.adobe.xmp":
        text.add_itxt(keyword, f'<x:xmpmeta tiff:Orientation="{orientation}"/>', zip=zipped)
    else:
        text.add_text(keyword, as_text(orientation), zip=zipped)
    return text


def behind(path: Path) -> None:
    """Move what a PNG says beside its pixels behind them."""
    first, *others, end = chunks_of(path.read_bytes())
    pixels = [part for part in others if part[4:8] == b"IDAT"]
    notes = [part for part in others if part[4:8] != b"IDAT"]
    path.write_bytes(joined([first, *pixels, *notes, end]))


def assert_upright(path: Path, *, exactly: bool = True) -> None:
    assert zoo.probe_image(path) == (3, 30, 40)
    expected = torch.from_numpy(np.array(upright())).permute(2, 0, 1)
    off = (zoo.read_image(path, channels=3).float() - expected).abs()
    assert off.max() == 0 if exactly else off.mean() < 4


@pytest.mark.parametrize("orientation", [1, *TURNED])
@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int, ending: str):
    """However a camera was held, the image comes upright, and the header says its upright size."""
    path = tmp_path / f"held.{ending}"
    stored = upright().transpose(TURNED[orientation]) if orientation > 1 else upright()
    stored.save(path, exif=exif(orientation))
    assert_upright(path, exactly=ending in ("png", "tif"))


@pytest.mark.parametrize("moved", [False, True], ids=["before the pixels", "behind the pixels"])
@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "zipped"])
@pytest.mark.parametrize("keyword", ["Raw profile type exif", "XML:com.adobe.xmp"])
@pytest.mark.parametrize("orientation", TURNED)
def test_what_a_png_says_in_text_is_followed(tmp_path: Path, orientation: int, keyword: str, zipped: bool, moved: bool):
    """ImageMagick writes EXIF so, others XMP; header and pixels agree wherever in the file it stands."""
    path = tmp_path / "a.png"
    upright().transpose(TURNED[orientation]).save(path, pnginfo=noted(orientation, keyword=keyword, zipped=zipped))
    if moved:
        behind(path)
    assert_upright(path)


@pytest.mark.parametrize("moved", [False, True], ids=["before the pixels", "behind the pixels"])
def test_a_chunk_of_exif_is_followed_wherever_it_stands(tmp_path: Path, moved: bool):
    """The format leaves it free."""
    path = tmp_path / "a.png"
    upright().transpose(TURNED[6]).save(path, exif=exif(6))
    if moved:
        behind(path)
    assert_upright(path)


def test_other_text_behind_the_pixels_has_no_picture_decoded_for_its_header(tmp_path: Path):
    """A comment at the end is frequent, and headers of a hundred thousand files are to be quick."""
    path = tmp_path / "a.png"
    upright().save(path, pnginfo=noted(6, keyword="Comment"))
    behind(path)
    first, *_, note, end = chunks_of(path.read_bytes())
    path.write_bytes(joined([first, chunk(b"IDAT", b"no pixels at all"), note, end]))
    assert zoo.probe_image(path) == (3, 30, 40)


@pytest.mark.parametrize("text", ["", "\nexif\n  99\nzz", "\nexif\n 2\n4d4d"])
def test_a_damaged_note_is_no_damaged_image(tmp_path: Path, text: str):
    """The pixels are whole, and come as they are stored."""
    note = PngInfo()
    note.add_text("Raw profile type exif", text)
    upright().save(tmp_path / "a.png", pnginfo=note)
    assert_upright(tmp_path / "a.png")
