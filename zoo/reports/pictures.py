"""Images within a page: small ones as they are, larger ones shrunk, as data URIs."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

EXACT = 64
"""Pixels a side up to which an image is shown pixel for pixel."""

_SHOWN = 104  # pixels a side that larger ones are shrunk to
_QUALITY = 80


@dataclass(frozen=True)
class Picture:
    """An image in a page.

    Attributes:
        uri: A ``data:`` URI.
        width: In pixels.
        height: In pixels.
        photo: Whether it was shrunk, and so is no longer the dataset's own pixels.
    """

    uri: str
    width: int
    height: int
    photo: bool


def image_of(pixels: NDArray[np.uint8]) -> Image.Image:
    """Return pixels, uint8 (C, H, W), as an image of Pillow's, as for `picture_of`."""
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0) if len(pixels) == 3 else pixels[0]))


def picture_of(pixels: NDArray[np.uint8]) -> Picture:
    """Return an image for a page.

    Args:
        pixels: uint8 (C, H, W), C 1 or 3; of any other number the first channel is shown.
    """
    from PIL import Image

    image = image_of(pixels)
    photo = max(image.size) > EXACT
    if photo:
        image.thumbnail((_SHOWN, _SHOWN), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    if photo:
        image.save(stream, "JPEG", quality=_QUALITY)
    else:
        image.save(stream, "PNG", optimize=True)
    kind = "jpeg" if photo else "png"
    text = base64.b64encode(stream.getvalue()).decode("ascii")
    return Picture(f"data:image/{kind};base64,{text}", image.width, image.height, photo)
