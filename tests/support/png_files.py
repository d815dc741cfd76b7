"""PNG files made chunk by chunk, of the kinds that Pillow does not write."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, COLOUR, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 4, 6
BANDS = {GREY: 1, COLOUR: 3, GREY_ALPHA: 2, COLOUR_ALPHA: 4}


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk with its length and checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def header(width: int, height: int, bits: int, kind: int) -> bytes:
    """Return the first chunk."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0))


def deep_png(path: Path, kind: int, rows: Sequence[Sequence[int]], transparent: Sequence[int] | None = None) -> Path:
    """Write 16-bit samples, each row with all bands of its pixels side by side."""
    body = b"".join(b"\0" + struct.pack(f">{len(row)}H", *row) for row in rows)
    return _written(path, header(len(rows[0]) // BANDS[kind], len(rows), 16, kind), body, transparent)


def shallow_png(path: Path, bits: int, values: Sequence[int], transparent: int | None = None) -> Path:
    """Write one row of grey samples of 1, 2, 4 or 8 bits."""
    packed = "".join(f"{value:0{bits}b}" for value in values)
    packed += "0" * (-len(packed) % 8)
    body = b"\0" + bytes(int(packed[i : i + 8], 2) for i in range(0, len(packed), 8))
    return _written(path, header(len(values), 1, bits, GREY), body, None if transparent is None else [transparent])


def _written(path: Path, head: bytes, body: bytes, transparent: Sequence[int] | None) -> Path:
    note = [] if transparent is None else [chunk(b"tRNS", struct.pack(f">{len(transparent)}H", *transparent))]
    path.write_bytes(joined([head, *note, chunk(b"IDAT", zlib.compress(body)), chunk(b"IEND", b"")]))
    return path


def joined(chunks: Iterable[bytes]) -> bytes:
    """Return the file of these chunks."""
    return SIGNATURE + b"".join(chunks)


def chunks_of(content: bytes) -> list[bytes]:
    """Return a file's chunks, whole."""
    found, position = [], len(SIGNATURE)
    while position < len(content):
        (length,) = struct.unpack(">I", content[position : position + 4])
        found.append(content[position : position + length + 12])
        position += length + 12
    return found
