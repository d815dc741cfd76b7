"""From a decoder's bytes to pixels of a wanted size: plain JPEGs decoded fast, one resizing, turned upright."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zoo.files.fitting import PADDING, Box, narrowed, placement
from zoo.files.jpegs import COLOUR, GREY, decoder
from zoo.files.orientation import SIDEWAYS
from zoo.files.resizing import resized

_PIXELS_BEGIN, _WITH_LENGTH = 0xDA, {*range(0xC0, 0xD0), *range(0xDB, 0xFF)}  # markers of a JPEG's segments
_MIRRORED = {2: (2,), 3: (1, 2), 4: (1,), 5: (), 6: (2,), 7: (1, 2), 8: (1,)}
"""By EXIF orientation, the dimensions of (C, H, W) to mirror, after rows and columns were exchanged where it lies."""


def as_pixels(flat: Image.Image, channels: int) -> Tensor:
    """Return an image of Pillow's in mode L or RGB as uint8 (1, H, W), or (3, H, W) where it is in colour.

    Args:
        flat: The image.
        channels: 1 makes colour grey.
    """
    array = np.array(flat.convert("L") if channels == 1 else flat)
    return torch.from_numpy(array if array.ndim == 3 else array[:, :, None]).permute(2, 0, 1)


def decode_plain_jpeg(image: Image.Image, file: BinaryIO, channels: int) -> Tensor | None:
    """Decode a JPEG without Pillow's copies and conversions, in half the time, with the very same bits.

    Args:
        image: What Pillow found in *file*, its pixels not yet decoded.
        file: The open file, which holds the image from its first byte on.
        channels: 1 or 3, as wanted.

    Returns:
        uint8 (1, H, W) or (3, H, W); None for what is left to Pillow: another format, a colour space besides grey and
        RGB, colour that becomes grey, bytes between the segments, of which the decoder would write to stderr, and
        whatever it finds wrong, so that one place tells what is damaged.

    Source: libjpeg-turbo, through torchvision.
    """
    if image.format != "JPEG" or image.mode not in ("L", "RGB") or (image.mode == "RGB" and channels == 1):
        return None
    decode = decoder()
    if decode is None:
        return None  # torchvision announces that it will let go of its decoders some day
    file.seek(0)
    content = bytearray(file.read())
    if not _is_orderly(content):
        return None
    data = torch.frombuffer(content, dtype=torch.uint8)
    try:
        return decode(data, GREY if image.mode == "L" else COLOUR)
    except RuntimeError:
        return None


def _is_orderly(content: bytearray) -> bool:
    """Return whether a JPEG's segments follow one another up to its pixels, with nothing in between."""
    place = 2  # behind the marker of the beginning
    while content[place : place + 1] == b"\xff" and place + 4 <= len(content):
        marker = content[place + 1]
        if marker == _PIXELS_BEGIN:
            return True
        if marker not in _WITH_LENGTH:
            return False
        place += 2 + int.from_bytes(content[place + 2 : place + 4], "big")
    return False


def resized_upright(
    pixels: Tensor,
    orientation: int,
    size: tuple[int, int] | None,
    interpolation: str = "bilinear",
    fit: str = "stretch",
    box: Box | None = None,
) -> Tensor:
    """Return pixels in a size, resized with antialiasing, and turned as a camera's note says.

    Args:
        pixels: uint8 (C, H, W), as stored.
        orientation: The EXIF orientation, 1 to 8; anything else turns nothing.
        size: (H', W'), upright; as it is if left out.
        interpolation: ``"nearest"``, ``"bilinear"`` or ``"bicubic"``.
        fit: ``"stretch"``, ``"pad"`` or ``"crop"``.
        box: The part of the result that is to be enlarged to all of it; None for the whole.

    Returns:
        uint8 (C, H', W').
    """
    if size is not None and (fit != "stretch" or box is not None):
        # Turned first, so that the middle and the box are those of the upright picture.
        return _fitted(resized_upright(pixels, orientation, None), size, interpolation, fit, box)
    sideways = orientation in SIDEWAYS
    if size is not None:
        stored = (size[1], size[0]) if sideways else size
        pixels = _resized(pixels, stored, interpolation)  # turned afterwards, when it is small
    if orientation not in _MIRRORED:
        return pixels
    return (pixels.transpose(1, 2) if sideways else pixels).flip(_MIRRORED[orientation])


def _fitted(pixels: Tensor, size: tuple[int, int], interpolation: str, fit: str, box: Box | None) -> Tensor:
    """Return upright pixels, uint8 (C, H, W), fitted to a size, (H', W'), or a part of that."""
    place = placement((pixels.shape[1], pixels.shape[2]), size, fit)
    if box is not None:
        part = narrowed(place, size, box)
        if part is None:
            return torch.full((len(pixels), *size), PADDING, dtype=torch.uint8)
        place = part
    (rows, columns), (height, width) = place.part, place.inner
    kept = pixels[:, place.top : place.top + rows, place.left : place.left + columns]
    resized = _resized(kept, place.inner, interpolation)
    if place.inner == size:
        return resized
    whole = torch.full((len(pixels), *size), PADDING, dtype=torch.uint8)
    whole[:, place.row : place.row + height, place.column : place.column + width] = resized
    return whole


def _resized(pixels: Tensor, size: tuple[int, int], interpolation: str) -> Tensor:
    if pixels.shape[1:] == size:
        return pixels
    # One image of a batch, its stride that of channels_last: only so torch keeps the layout, and takes its fast path.
    batch = pixels.permute(1, 2, 0).contiguous().unsqueeze(0).permute(0, 3, 1, 2)
    return resized(batch, size, interpolation)[0]
