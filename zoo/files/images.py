"""Reading image files: the one place where a picture becomes a tensor, for datasets and for predicting alike."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import jpeg_factory
from torch import Tensor

from zoo.errors import DamagedError, UsageError, ZooError
from zoo.files.depth import UnknownWhite, flattened, is_grey
from zoo.files.downloads import open_file
from zoo.files.formats import FORMATS, foreign
from zoo.files.orientation import SIDEWAYS, TURNS, orientation
from zoo.shared import Shared

MAX_PIXELS = 89_478_485  # Pillow's own limit, 268 MB in colour; from there on it warns, from twice that it refuses
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


def probe_image(path: str | Path) -> ImageHeader:
    """Read an image's header; the pixels are decoded only where colours are looked up in a palette.

    Raises:
        UsageError: If there is no such file.
        DamagedError: If it is no image that zoo reads, or has more pixels than `read_image` decodes at any size.
    """
    path = Path(path)
    with _opened(path) as (image, _):
        _check_pixels(path, image)
        grey, (width, height) = is_grey(image), image.size
        if orientation(image) in SIDEWAYS:
            height, width = width, height
        return ImageHeader(1 if grey else 3, height, width)


def read_image(path: str | Path, *, channels: int, size: tuple[int, int] | None = None) -> Tensor:
    """Read an image file: PNG, JPEG, BMP, GIF, WebP, TIFF, PPM or AVIF, of any size, depth and colour.

    The first picture of an animation counts. EXIF orientation is applied. What is transparent becomes white. Colour
    becomes grey by luma (ITU-R 601-2); grey becomes colour by repeating it; 16 bits are rounded to 8, where 65,535 is
    white in every file. A resized image is stretched to the size, with antialiasing, whatever its aspect: nothing of
    it is cut off. Colour profiles are ignored.

    Args:
        path: The file; what it is, is told from its content, not from its name.
        channels: C, 1 for grey or 3 for colour.
        size: (H, W) to resize to, each at least 1; as it is if left out.

    Returns:
        uint8 (C, H, W), black 0, white 255.

    Raises:
        UsageError: If there is no such file, or *channels* or *size* cannot be.
        DamagedError: If it is no image that zoo reads, is damaged or cut short, or has more than `MAX_PIXELS` pixels
            and is no JPEG that can be decoded at a half of its sides or less.

    Source: Pillow's decoders, converters and its bilinear filter with antialiasing.
    """
    _check_request(channels, size)
    path = Path(path)
    with _opened(path) as (image, file):
        flat = _upright(image, file, path, channels, size)
    return _as_tensor(flat, size)


def _check_request(channels: int, size: tuple[int, int] | None) -> None:
    if channels not in (1, 3):
        raise UsageError(f"an image is read with 1 channel (grey) or 3 (colour), not {channels!r}")
    if size is not None and min(size) < 1:
        raise UsageError(f"an image cannot be resized to {size!r}: height and width must be at least 1")


def _upright(image: ImageFile, file: IO[bytes], path: Path, channels: int, size: tuple[int, int] | None) -> Image.Image:
    """Return an opened image in mode L or RGB and upright, at least of *size*, (H, W), where it was."""
    _check_pixels(path, image, shrinking=size is not None)
    _draft(image, size)
    _check_pixels(path, image, shrinking=False)
    try:
        flat = flattened(image, lambda: _identified(file)).convert("L" if channels == 1 else "RGB")
    except UnknownWhite as error:
        raise DamagedError(f"{str(path)!r} holds {error}, whose white is unknown. Convert it to 8 bits.") from error
    turn = orientation(image)
    return flat.transpose(TURNS[turn]) if turn in TURNS else flat


def _as_tensor(flat: Image.Image, size: tuple[int, int] | None) -> Tensor:
    if size is not None and flat.size != (size[1], size[0]):
        flat = flat.resize((size[1], size[0]), Image.Resampling.BILINEAR, reducing_gap=3.0)
    pixels = torch.from_numpy(np.array(flat))  # (H, W) or (H, W, C)
    return pixels.unsqueeze(0) if pixels.ndim == 2 else pixels.permute(2, 0, 1).contiguous()


def _draft(image: ImageFile, size: tuple[int, int] | None) -> None:
    """Have a JPEG decoded at a half, a quarter or an eighth where that is enough for *size*.

    It is up to six times faster for photographs. Twice the size is left for the antialiasing, but by a JPEG that is
    too large otherwise.
    """
    if size is None:
        return
    reserve = 2
    if _can_shrink(image) and _pixels(image.size, _drafted(image, 2 * max(size))) > MAX_PIXELS:
        reserve = 1
    image.draft(None, (reserve * max(size), reserve * max(size)))


def _drafted(image: ImageFile, side: int) -> int:
    """Return by what a JPEG's sides are divided so that none falls below *side*."""
    return next((scale for scale in (8, 4, 2) if min(image.size) // side >= scale), 1)


def _can_shrink(image: ImageFile) -> bool:
    """Return whether an image's decoder can leave pixels out: a progressive JPEG's holds all of them in memory."""
    return image.format in ("JPEG", "MPO") and not image.info.get("progressive")


def _pixels(size: tuple[int, int], scale: int = 1) -> int:
    return -(-size[0] // scale) * -(-size[1] // scale)


def _check_pixels(path: Path, image: ImageFile, *, shrinking: bool = True) -> None:
    """Refuse an image of too many pixels, unless they are few enough where its decoder leaves out what it can."""
    if _pixels(image.size, _SMALLEST if shrinking and _can_shrink(image) else 1) > MAX_PIXELS:
        raise DamagedError(_too_large(path, f"{image.width} x {image.height}"))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[ImageFile, IO[bytes]]]:
    """Open an image, and its file, and turn whatever its decoder raises into zoo's errors."""
    with open_file(path) as file, _PILLOW_SILENCED:
        try:
            with _identified(file) as image:
                yield image, file
        except Image.DecompressionBombError as error:
            raise DamagedError(_too_large(path, "far too many")) from error
        except UnidentifiedImageError as error:
            file.seek(0)
            raise DamagedError(_unread(path, file.read(64))) from error
        except MemoryError as error:
            raise ZooError(f"not enough memory to decode {str(path)!r}") from error
        except ZooError:
            raise
        except Exception as error:
            # Decoders of hostile files raise nearly anything: OSError, SyntaxError, struct.error, IndexError, ...
            reason = " ".join(str(error).split()) or type(error).__name__
            raise DamagedError(f"{str(path)!r} is a damaged image: {reason}") from error


def _identified(file: IO[bytes]) -> ImageFile:
    """Open an image; a JPEG of any size, as it may be decoded smaller, others up to twice `MAX_PIXELS`."""
    file.seek(0)
    try:
        return Image.open(file, formats=FORMATS)
    except Image.DecompressionBombError:
        file.seek(0)
        if file.read(3) != b"\xff\xd8\xff":
            raise
        file.seek(0)
        return jpeg_factory(file)


def _unread(path: Path, start: bytes) -> str:
    what = foreign(start)
    if what is None:
        return f"{str(path)!r} is no image that zoo reads ({', '.join(FORMATS)})"
    return f"{str(path)!r} is {what}, which zoo does not read. Convert it to JPEG or PNG first{_how(path, what)}."


def _how(path: Path, what: str) -> str:
    newer = ", or upgrade Pillow" if "AVIF" in what else ""
    return f", as with 'magick {path.name} {path.stem}.jpg'{newer}" if path.name.isprintable() else newer


def _too_large(path: Path, pixels: str) -> str:
    return f"{str(path)!r} has {pixels} pixels, more than the {MAX_PIXELS:,} that zoo decodes. Make it smaller first."


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Pillow's warnings (odd metadata, large images) are no news: what matters among them is an error here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


_PILLOW_SILENCED = Shared(_without_warnings)
