"""Reading image files: the one place where a picture becomes a tensor, for datasets and for predicting alike."""

from __future__ import annotations

import contextlib
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile
from torch import Tensor

from zoo.errors import DamagedError, UsageError, ZooError
from zoo.files.downloads import open_file
from zoo.shared import Shared

# Pillow knows many more, some of which start other programs (EPS) or are hardly ever tested with hostile files.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM", TiffImageFile.format, WebPImageFile.format)
MAX_PIXELS = 89_478_485  # Pillow's own limit, 268 MB in colour; from there on it warns, from twice that it refuses

_ORIENTATION = 0x0112  # the EXIF tag
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


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
        DamagedError: If it is no image that zoo reads, or has more than `MAX_PIXELS` pixels.
    """
    with _opened(Path(path)) as image:
        height, width = image.height, image.width
        if _orientation(image) in (5, 6, 7, 8):
            height, width = width, height
        return ImageHeader(1 if _is_grey(image) else 3, height, width)


def read_image(path: str | Path, *, channels: int, size: tuple[int, int] | None = None) -> Tensor:
    """Read an image file: PNG, JPEG, BMP, GIF, WebP, TIFF or PPM, of any size, depth and colour.

    The first picture of an animation counts. EXIF orientation is applied. What is transparent becomes white. Colour
    becomes grey by luma (ITU-R 601-2); grey becomes colour by repeating it; 16 bits are rounded to 8. A resized image
    is stretched to the size, with antialiasing, whatever its aspect: nothing of it is cut off. Colour profiles are
    ignored.

    Args:
        path: The file; what it is, is told from its content, not from its name.
        channels: C, 1 for grey or 3 for colour.
        size: (H, W) to resize to, each at least 1; as it is if left out.

    Returns:
        uint8 (C, H, W), black 0, white 255.

    Raises:
        UsageError: If there is no such file, or *channels* or *size* cannot be.
        DamagedError: If it is no image that zoo reads, is damaged or cut short, or has more than `MAX_PIXELS` pixels.

    Source: Pillow's decoders, converters and its bilinear filter with antialiasing.
    """
    if channels not in (1, 3):
        raise UsageError(f"an image is read with 1 channel (grey) or 3 (colour), not {channels!r}")
    if size is not None and min(size) < 1:
        raise UsageError(f"an image cannot be resized to {size!r}: height and width must be at least 1")
    path = Path(path)
    with _opened(path) as image:
        turn = _orientation(image)
        if size is not None:
            # JPEG can be decoded at a half, a quarter or an eighth: up to six times faster for photographs.
            image.draft(None, (2 * max(size), 2 * max(size)))
        image.load()
        flat = _flattened(image, path).convert("L" if channels == 1 else "RGB")
    if turn in _TURNS:
        flat = flat.transpose(_TURNS[turn])
    if size is not None and flat.size != (size[1], size[0]):
        flat = flat.resize((size[1], size[0]), Image.Resampling.BILINEAR, reducing_gap=3.0)
    pixels = torch.from_numpy(np.array(flat))  # (H, W) or (H, W, C)
    return pixels.unsqueeze(0) if channels == 1 else pixels.permute(2, 0, 1).contiguous()


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open an image and turn whatever its decoder raises into zoo's errors."""
    with open_file(path) as file, _PILLOW_SILENCED:
        try:
            with Image.open(file, formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise DamagedError(_too_large(path, f"{image.width} x {image.height}"))
                yield image
        except Image.DecompressionBombError as error:
            raise DamagedError(_too_large(path, "far too many")) from error
        except UnidentifiedImageError as error:
            raise DamagedError(f"{str(path)!r} is no image that zoo reads ({', '.join(FORMATS)})") from error
        except MemoryError as error:
            raise ZooError(f"not enough memory to decode {str(path)!r}") from error
        except ZooError:
            raise
        except Exception as error:
            # Decoders of hostile files raise nearly anything: OSError, SyntaxError, struct.error, IndexError, ...
            reason = " ".join(str(error).split()) or type(error).__name__
            raise DamagedError(f"{str(path)!r} is a damaged image: {reason}") from error


def _too_large(path: Path, pixels: str) -> str:
    return f"{str(path)!r} has {pixels} pixels, more than the {MAX_PIXELS:,} that zoo decodes. Make it smaller first."


def _orientation(image: Image.Image) -> int:
    # Pillow turns a TIFF itself. Where a PNG does not say it before its pixels, getexif() would decode them to look
    # behind.
    if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):
        return 1
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, struct.error):
        return 1  # a damaged note about the image is no damaged image


def _is_grey(image: Image.Image) -> bool:
    if image.mode in ("P", "PA"):
        palette = image.getpalette("RGB") or []
        return palette[0::3] == palette[1::3] == palette[2::3]
    return image.mode.startswith(("1", "L", "I", "F")) and image.mode != "LAB"


def _flattened(image: Image.Image, path: Path) -> Image.Image:
    """Return *image* with 8 bits and without transparency."""
    if image.mode.startswith("I"):
        return _from_16_bits(image, path)
    if image.mode == "F":
        raise DamagedError(f"{str(path)!r} holds floating-point pixels, whose white is unknown. Convert it to 8 bits.")
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        colour = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", colour.size, "white"), colour).convert("RGB")
    return image if image.mode == "L" else image.convert("RGB")


def _from_16_bits(image: Image.Image, path: Path) -> Image.Image:
    pixels = np.asarray(image).astype(np.int32)
    if pixels.min() < 0 or pixels.max() > 65_535:
        raise DamagedError(f"{str(path)!r} holds pixels of 32 bits, whose white is unknown. Convert it to 8 bits.")
    return Image.fromarray(((pixels + 128) // 257).astype(np.uint8))


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Pillow's warnings (odd metadata, large images) are no news: what matters among them is an error here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


_PILLOW_SILENCED = Shared(_without_warnings)
