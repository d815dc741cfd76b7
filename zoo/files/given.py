"""Images that a program hands over: paths, encoded bytes, Pillow's images and arrays."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import Tensor

from zoo.errors import UsageError
from zoo.files.depth import flattened_in_memory
from zoo.files.images import check_wanted, decoding, read_image, read_opened
from zoo.files.orientation import orientation
from zoo.files.pixels import as_pixels, resized_upright

Given = str | Path | bytes | Image.Image | npt.NDArray[np.uint8]
"""What is taken for an image."""


def name_of(image: Any, index: int) -> str:
    """Return what results and messages call an image: its file, where it has one, or else its place in the list."""
    if isinstance(image, str | Path):
        return str(image)
    return getattr(image, "filename", "") or f"images[{index}]"


def read_given(
    image: Given,
    name: str,
    *,
    channels: int,
    size: tuple[int, int] | None = None,
    interpolation: str = "bilinear",
    fit: str = "stretch",
) -> Tensor:
    """Return an image as `zoo.read_image` does.

    Args:
        image: A path, the bytes of an encoded image, an image of Pillow's, or an array uint8 (H, W), grey, or
            (H, W, C), C 1 for grey, 3 for colour, 4 for colour and alpha.
        name: What messages call it.
        channels: As for `zoo.read_image`.
        size: As for `zoo.read_image`.
        interpolation: As for `zoo.read_image`.
        fit: As for `zoo.read_image`.

    Raises:
        UsageError: If it is something else, or an array of another shape or type.
        DamagedError: As `zoo.read_image`.
    """
    check_wanted(channels, size, fit)
    if isinstance(image, str | Path):
        return read_image(image, channels=channels, size=size, interpolation=interpolation, fit=fit)
    if isinstance(image, bytes | bytearray | memoryview):
        return read_opened(io.BytesIO(image), name, channels, size, interpolation, fit).contiguous()
    if isinstance(image, np.ndarray):
        image = _from_array(image, name)
    if not isinstance(image, Image.Image):
        raise UsageError(
            f"{name} must be a path, bytes, an image of Pillow's or a NumPy array, not a {type(image).__qualname__}"
        )
    with decoding(name):
        image.load()
        flat, turn = flattened_in_memory(image), orientation(image)
    pixels = resized_upright(as_pixels(flat, channels), turn, size, interpolation, fit)
    return pixels.expand(channels, -1, -1).contiguous()


def _from_array(array: npt.NDArray[Any], name: str) -> Image.Image:
    height, width, *bands = array.shape if array.ndim in (2, 3) else (0, 0)
    if array.dtype != np.uint8 or bands not in ([], [1], [3], [4]) or not height * width:
        raise UsageError(
            f"{name} must be an array uint8 (H, W) or (H, W, C) with C 1, 3 or 4, not {array.dtype} {array.shape}"
        )
    return Image.fromarray(np.ascontiguousarray(array[:, :, 0] if bands == [1] else array))
