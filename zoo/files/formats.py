"""Which formats of images are read, and what is said of the others that people have."""

from __future__ import annotations

from PIL import features
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

# Pillow knows many more, some of which start other programs (EPS) or are hardly ever tested with hostile files.
FORMATS = (
    *("PNG", "JPEG", "BMP", "GIF", "PPM", TiffImageFile.format, WebPImageFile.format),
    *(("AVIF",) if features.check("avif") else ()),
)

_BOXES = {  # the brands of the ISO container that pictures are kept in
    "an AVIF picture": (b"avif", b"avis"),
    "a HEIC picture": (
        b"heic",
        b"heix",
        b"heim",
        b"heis",
        b"hevc",
        b"hevx",
        b"mif1",
        b"msf1",
    ),  # or any, by the last two
}
_SIGNATURES = {
    "a JPEG 2000 picture": (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
    "a JPEG XL picture": (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"),
    "a Photoshop document": (b"8BPS",),
    "a PDF document": (b"%PDF-",),
    "an icon": (b"\0\0\1\0",),
}
_SVG = (b"<svg", b"<?xml")


def foreign(start: bytes) -> str | None:
    """Return what a file is that zoo does not read, told from its first bytes, or None where it is not known.

    Args:
        start: The file's first 64 bytes.
    """
    if start[4:8] == b"ftyp":
        brands = [start[i : i + 4] for i in (8, *range(16, len(start), 4))]
        for what, own in _BOXES.items():
            if any(brand in own for brand in brands):
                return what
    for what, signatures in _SIGNATURES.items():
        if start.startswith(signatures):
            return what
    return "an SVG drawing" if start.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(_SVG) else None
