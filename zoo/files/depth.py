"""From samples of any depth, with or without transparency, to 8 bits on white."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.ImageFile import ImageFile

WHITE = 65_535
"""White in 16 bits."""

_SWAPPED = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}
_DEEP_COLOUR = tuple(f"{bands};16{order}" for bands in ("RGB", "RGBA", "RGBX") for order in _SWAPPED)
_DEEP_GREY_ALPHA = "LA;16B"  # which Pillow makes colour of

Samples = npt.NDArray[np.uint16]


class UnknownWhite(ValueError):  # noqa: N818 - it names what is not known
    """The samples have a depth that does not say which of them is white."""


def raw_mode(image: Image.Image) -> str:
    """Return how an image that was opened and not yet loaded stores its samples, as Pillow names it, such as "L;4"."""
    tiles: Any = getattr(image, "tile", None)
    if not tiles:
        return ""
    arguments = tiles[0][3]
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def is_grey(image: ImageFile) -> bool:
    """Return whether an opened image is grey by its header, or by its palette; transparency does not count."""
    if image.mode in ("P", "PA"):
        palette = image.getpalette("RGB") or []
        return palette[0::3] == palette[1::3] == palette[2::3]
    if raw_mode(image) == _DEEP_GREY_ALPHA:
        return True
    return image.mode.startswith(("1", "L", "I", "F")) and image.mode != "LAB"


def flattened(image: ImageFile, reopened: Callable[[], ImageFile]) -> Image.Image:
    """Return an opened image's pixels in mode L or RGB: rounded to 8 bits, what is transparent blended with white.

    Args:
        image: Opened, and not loaded unless it has 8 bits or fewer.
        reopened: Opens it once more: Pillow gives one half of a 16-bit colour at a time.

    Raises:
        UnknownWhite: If the samples have floating point or more than 16 bits.
    """
    raw = raw_mode(image)
    if raw in _DEEP_COLOUR:
        return _rounded(_deep_colour(image, reopened, raw), image)
    if raw == _DEEP_GREY_ALPHA:
        return _rounded(_deep_grey_and_alpha(image), image)
    image.load()
    return flattened_in_memory(image, raw)


def flattened_in_memory(image: Image.Image, raw: str = "") -> Image.Image:
    """Return the pixels of an image that is loaded, or was never in a file, as `flattened` does.

    Args:
        image: Loaded: of 16-bit colour, Pillow has kept the upper bytes.
        raw: How it was stored, as `raw_mode` tells before it is loaded.

    Raises:
        UnknownWhite: If the samples have floating point or more than 16 bits.
    """
    if image.mode.startswith("I"):
        return _rounded(_deep_grey(image), image)
    if image.mode == "F":
        raise UnknownWhite("floating-point pixels")
    return _on_white(image, raw)


def _on_white(image: Image.Image, raw: str) -> Image.Image:
    """Return an image of 8 bits or fewer without its transparency."""
    if image.format == "PNG" and "transparency" in image.info:
        image = _with_scaled_transparency(image, raw)
    if image.format == "BMP" and image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0):
        return image.convert("RGB")  # its writer left the fourth byte empty and meant no transparency
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        colour = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", colour.size, "white"), colour).convert("RGB")
    return image if image.mode == "L" else image.convert("RGB")


def _with_scaled_transparency(image: Image.Image, raw: str) -> Image.Image:
    """Return a PNG whose transparent value is on the scale of its pixels, as Pillow scales those of 1, 2 and 4 bits.

    Of the 16 bits that the value is stored in, those of the depth alone count.
    """
    value = image.info["transparency"]
    if image.mode == "1":
        image = image.convert("L")
    elif image.mode == "L":
        bits = int(raw.partition(";")[2] or 8)
        value = (value & (2**bits - 1)) * 255 // (2**bits - 1)
    elif image.mode == "RGB":
        value = tuple(part & 255 for part in value)
    image.info["transparency"] = value
    return image


def _deep_grey(image: Image.Image) -> Samples:
    samples = np.asarray(image).astype(np.int64)
    if samples.min() < 0 or samples.max() > WHITE:
        raise UnknownWhite("pixels of 32 bits")
    return samples.astype(np.uint16)[:, :, None]


def _deep_colour(image: ImageFile, reopened: Callable[[], ImageFile], raw: str) -> Samples:
    """Return 16-bit colour: Pillow reads the upper bytes, and the lower ones if told that they are those."""
    image.load()
    with reopened() as again:
        _read_as(again, f"{raw[:-1]}{_SWAPPED[raw[-1]]}")
        again.load()
        return _joined(np.asarray(image), np.asarray(again))


def _deep_grey_and_alpha(image: ImageFile) -> Samples:
    """Return 16-bit grey and alpha, whose two pairs of bytes are four bands of 8 bits."""
    _read_as(image, "RGBA")
    image.load()
    halves = np.asarray(image)
    return _joined(halves[:, :, 0::2], halves[:, :, 1::2])


def _joined(upper: npt.NDArray[np.uint8], lower: npt.NDArray[np.uint8]) -> Samples:
    return np.bitwise_or(np.left_shift(upper, 8, dtype=np.uint16), lower, dtype=np.uint16)


def _read_as(image: ImageFile, raw: str) -> None:
    image.tile = [
        tile._replace(args=(raw, *tile.args[1:]) if isinstance(tile.args, tuple) else raw) for tile in image.tile
    ]


def _rounded(samples: Samples, image: Image.Image) -> Image.Image:
    """Return samples (H, W, C), C of 2 or 4 with alpha last, on white and in 8 bits."""
    values = samples.astype(np.uint32)  # which a product of two samples fits, and half of one besides
    if values.shape[2] in (2, 4):
        alpha = values[:, :, -1:]
        # Half of the divisor is added so that the quotient is rounded.
        values = (values[:, :, :-1] * alpha + WHITE * (WHITE - alpha) + WHITE // 2) // WHITE
    elif (transparent := image.info.get("transparency")) is not None and image.format == "PNG":
        values[(values == np.array(transparent)).all(axis=2)] = WHITE
    rounded = ((values + 128) // 257).astype(np.uint8)
    return Image.fromarray(rounded[:, :, 0] if rounded.shape[2] == 1 else rounded)
