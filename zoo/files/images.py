"""Reading image files: the one place where a picture becomes a tensor, for datasets and for predicting alike."""

from __future__ import annotations

import contextlib
import logging
import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import jpeg_factory

from zoo.errors import DamagedError, UsageError, ZooError
from zoo.files.depth import UnknownWhite, flattened, is_grey
from zoo.files.downloads import open_file
from zoo.files.fitting import FITS, Box
from zoo.files.formats import FORMATS, foreign
from zoo.files.orientation import SIDEWAYS, orientation
from zoo.shared import Shared

if TYPE_CHECKING:
    from torch import Tensor

MAX_PIXELS = 89_478_485  # Pillow's own limit, 268 MB in colour; from there on it warns, from twice that it refuses
_JPEG = ("JPEG", "MPO")  # the second is a phone's, with several pictures
_SMALLEST = 8  # a JPEG can be decoded at a half, a quarter or an eighth of its sides

logging.getLogger("PIL").addHandler(logging.NullHandler())  # what it logs of odd metadata would else reach stderr


class ImageHeader(NamedTuple):
    """What an image's header says.

    Attributes:
        channels: 1 for a grey image, 3 for colour; transparency does not count.
        height: H in pixels, upright.
        width: W in pixels, upright.
    """

    channels: int
    height: int
    width: int


class Picture(NamedTuple):
    """An image as it is stored.

    Attributes:
        flat: Of Pillow's, in mode L or RGB.
        orientation: The EXIF orientation, 1 to 8; anything else means that it is upright.
    """

    flat: Image.Image
    orientation: int


def probe_image(path: str | Path) -> ImageHeader:
    """Read an image's header; the pixels are decoded only where colours are looked up in a palette.

    Raises:
        UsageError: If there is no such file.
        DamagedError: If it is no image that zoo reads, or has more pixels than `read_image` decodes at any size.
    """
    with open_file(Path(path)) as file:
        return probe_opened(file, str(path))


def probe_opened(file: BinaryIO, name: str) -> ImageHeader:
    """Read the header of an image in an open file, as `probe_image` does.

    Args:
        file: Open for reading, the image's first byte at its beginning.
        name: What messages call it.

    Raises:
        DamagedError: As `probe_image`.
    """
    with decoding(name), _identified(file, name) as image:
        _check_pixels(image, name)
        grey, (width, height) = is_grey(image), image.size
        if orientation(image) in SIDEWAYS:
            height, width = width, height
        return ImageHeader(1 if grey else 3, height, width)


def read_image(
    path: str | Path,
    *,
    channels: int,
    size: tuple[int, int] | None = None,
    interpolation: str = "bilinear",
    fit: str = "stretch",
) -> Tensor:
    """Read an image file: PNG, JPEG, BMP, GIF, WebP, TIFF, PPM or AVIF, of any size, depth and colour.

    The first picture of an animation counts. EXIF orientation is applied. What is transparent becomes white. Colour
    becomes grey by luma (ITU-R 601-2); grey becomes colour by repeating it; 16 bits are rounded to 8, where 65,535 is
    white in every file. A resized image is stretched to the size, with antialiasing, whatever its aspect, unless *fit*
    says otherwise: nothing of it is cut off. Colour profiles are ignored.

    Args:
        path: The file; what it is, is told from its content, not from its name.
        channels: C, 1 for grey or 3 for colour.
        size: (H, W) to resize to, each at least 1; as it is if left out.
        interpolation: How: ``"bilinear"`` or ``"bicubic"``, with antialiasing, or ``"nearest"``.
        fit: What becomes of another aspect: ``"stretch"``; ``"pad"`` with grey; ``"crop"`` from its middle.

    Returns:
        uint8 (C, H, W), black 0, white 255.

    Raises:
        UsageError: If there is no such file, or *channels* or *size* cannot be.
        DamagedError: If it is no image that zoo reads, is damaged or cut short, or has more than `MAX_PIXELS` pixels
            and is no JPEG that can be decoded at a half of its sides or less.

    Source: Pillow's decoders and converters, libjpeg-turbo through torchvision, and torch's filters, whose bilinear one
        is Pillow's, rounded once more.
    """
    check_wanted(channels, size, fit)
    with open_file(Path(path)) as file:
        return read_opened(file, str(path), channels, size, interpolation, fit).contiguous()


def check_wanted(channels: int, size: tuple[int, int] | None, fit: str = "stretch") -> None:
    """Check that images can be read with so many channels, in that size and fitted so.

    Raises:
        UsageError: If not.
    """
    if channels not in (1, 3):
        raise UsageError(f"an image is read with 1 channel (grey) or 3 (colour), not {channels!r}")
    if size is not None and min(size) < 1:
        raise UsageError(f"an image cannot be resized to {size!r}: height and width must be at least 1")
    if fit not in FITS:
        raise UsageError(f"fit must be one of {', '.join(FITS)}, not {fit!r}")


def read_opened(
    file: BinaryIO,
    name: str,
    channels: int,
    size: tuple[int, int] | None,
    interpolation: str = "bilinear",
    fit: str = "stretch",
    box: Box | None = None,
) -> Tensor:
    """Read an image, or a part of it, from an open file, as `read_image` does.

    Args:
        file: Open for reading, the image's first byte at its beginning.
        name: What messages call it.
        channels: As for `read_image`.
        size: As for `read_image`.
        interpolation: As for `read_image`.
        fit: As for `read_image`.
        box: Of what `read_image` gives in that size, the part that is wanted, enlarged to the size; None for all of it.
            It is cut from the decoded picture, at whole pixels, and resized once. A JPEG is decoded at a half, a
            quarter or an eighth where the part is that much larger than the size.

    Returns:
        uint8 (C, H, W); its memory may be laid out by pixels.

    Raises:
        DamagedError: As `read_image`.
    """
    # Imported here, so that pictures can be read without torch.
    from zoo.files.pixels import as_pixels, decode_plain_jpeg, resized_upright

    with decoding(name), _identified(file, name) as image:
        _check_pixels(image, name, shrinking=size is not None)
        reduced = size is not None and _draft(image, size, box)
        _check_pixels(image, name, shrinking=False)
        pixels = None if reduced else decode_plain_jpeg(image, file, channels)
        if pixels is None:
            flat = flattened(image, lambda: _identified(file, name))
            pixels = as_pixels(flat, channels)
        turn = orientation(image)
    return resized_upright(pixels, turn, size, interpolation, fit, box).expand(channels, -1, -1)


def read_picture(path: str | Path, size: tuple[int, int]) -> Picture:
    """Read an image file without torch, not yet turned or resized.

    Args:
        path: The file.
        size: (H, W) to which it will be resized: a JPEG is decoded at a part of its sides where that is much smaller.

    Raises:
        UsageError: If there is no such file.
        DamagedError: As `read_image`.
    """
    name = str(path)
    with open_file(Path(path)) as file, decoding(name), _identified(file, name) as image:
        _check_pixels(image, name)
        _draft(image, size)
        _check_pixels(image, name, shrinking=False)
        flat = flattened(image, lambda: _identified(file, name))
        return Picture(flat, orientation(image))


def _draft(image: ImageFile, size: tuple[int, int], box: Box | None = None) -> bool:
    """Have a JPEG decoded at a half, a quarter or an eighth where its part is that much larger than *size*, (H, W).

    It is up to six times faster for photographs, and as good: its pixels are means of those that are left out.
    """
    whole = image.size
    if box is not None and _pixels(whole) <= MAX_PIXELS:  # else as for all of it, which can be decoded no larger
        size = math.ceil(size[0] / box.height), math.ceil(size[1] / box.width)
    height, width = reversed(size) if image.format in _JPEG and orientation(image) in SIDEWAYS else size
    image.draft(None, (width, height))
    return image.size != whole


def _can_shrink(image: ImageFile) -> bool:
    """Return whether an image's decoder can leave pixels out: a progressive JPEG's holds all of them in memory."""
    return image.format in _JPEG and not image.info.get("progressive")


def _pixels(size: tuple[int, int], scale: int = 1) -> int:
    return -(-size[0] // scale) * -(-size[1] // scale)


def _check_pixels(image: ImageFile, name: str, *, shrinking: bool = True) -> None:
    """Refuse an image of too many pixels, unless they are few enough where its decoder leaves out what it can."""
    if _pixels(image.size, _SMALLEST if shrinking and _can_shrink(image) else 1) > MAX_PIXELS:
        raise DamagedError(_too_large(name, f"{image.width} x {image.height}"))


@contextlib.contextmanager
def decoding(name: str) -> Iterator[None]:
    """Turn whatever Pillow raises of an image called *name* into zoo's errors, and its warnings into nothing."""
    with _PILLOW_SILENCED:
        try:
            yield
        except Image.DecompressionBombError as error:
            raise DamagedError(_too_large(name, "far too many")) from error
        except UnknownWhite as error:
            raise DamagedError(f"{name!r} holds {error}, whose white is unknown. Convert it to 8 bits.") from error
        except MemoryError as error:
            raise ZooError(f"not enough memory to decode {name!r}") from error
        except ZooError:
            raise
        except Exception as error:
            # Decoders of hostile files raise nearly anything: OSError, SyntaxError, struct.error, IndexError, ...
            reason = " ".join(str(error).split()) or type(error).__name__
            raise DamagedError(f"{name!r} is a damaged image: {reason}") from error


def _identified(file: BinaryIO, name: str) -> ImageFile:
    """Open an image; a JPEG of any size, as it may be decoded smaller, others up to twice `MAX_PIXELS`."""
    file.seek(0)
    try:
        return Image.open(file, formats=FORMATS)
    except UnidentifiedImageError as error:
        file.seek(0)
        raise DamagedError(_unread(name, file.read(64))) from error
    except Image.DecompressionBombError:
        file.seek(0)
        if file.read(3) != b"\xff\xd8\xff":
            raise
        file.seek(0)
        return jpeg_factory(file)


def _unread(name: str, start: bytes) -> str:
    what = foreign(start)
    if what is None:
        return f"{name!r} is no image that zoo reads ({', '.join(FORMATS)})"
    return f"{name!r} is {what}, which zoo does not read. Convert it to JPEG or PNG first{_how(Path(name), what)}."


def _how(path: Path, what: str) -> str:
    newer = ", or upgrade Pillow" if "AVIF" in what else ""
    return f", as with 'magick {path.name} {path.stem}.jpg'{newer}" if path.name.isprintable() else newer


def _too_large(name: str, pixels: str) -> str:
    return f"{name!r} has {pixels} pixels, more than the {MAX_PIXELS:,} that zoo decodes. Make it smaller first."


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Pillow's warnings (odd metadata, large images) are no news: what matters among them is an error here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


_PILLOW_SILENCED = Shared(_without_warnings)
