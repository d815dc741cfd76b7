"""Which way up an image is, from what is written beside its pixels."""

from __future__ import annotations

import struct
from typing import IO

from PIL import Image
from PIL.PngImagePlugin import PngImageFile

SIDEWAYS = (5, 6, 7, 8)
"""The orientations by which height and width change places."""

_TAG = 0x0112
_NOTES = ("exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp")  # where Pillow looks, as it names them
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_KEYWORDS = (b"Raw profile type exif\0", b"XML:com.adobe.xmp\0")  # the first is ImageMagick's


def orientation(image: Image.Image) -> int:
    """Return the orientation that EXIF or XMP says, 1 to 8 or an invalid number; 1 where nothing is said.

    A PNG may say it in an eXIf chunk or in text, before its pixels or behind them: those behind have it decoded.
    """
    if image.format == "TIFF":
        return 1  # Pillow turns a TIFF itself
    if isinstance(image, PngImageFile) and not any(note in image.info for note in _NOTES):
        if image.fp is None or not _says_it_behind(image.fp):
            return 1
        image.load()
    try:
        return int(image.getexif().get(_TAG, 1))
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, struct.error):
        return 1  # a damaged note about the image is no damaged image


def _says_it_behind(file: IO[bytes]) -> bool:
    """Return whether a PNG, read up to its pixels, has a chunk behind them that may tell the orientation."""
    before = file.tell()
    try:
        start = 8
        while len(head := _at(file, start, 8)) == 8:
            (length,), kind = struct.unpack(">I", head[:4]), head[4:]
            if kind == b"eXIf" or (kind in _TEXTS and _at(file, start + 8, 32).startswith(_KEYWORDS)):
                return True
            start += length + 12  # its length, kind and checksum
        return False
    finally:
        file.seek(before)


def _at(file: IO[bytes], position: int, count: int) -> bytes:
    file.seek(position)
    return file.read(count)
