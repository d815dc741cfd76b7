"""Reading IDX files, the format of MNIST and its relatives."""

from __future__ import annotations

import hashlib
import math
import os
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zoo.errors import DamagedError
from zoo.files.downloads import open_file

_GZIP_MAGIC = b"\x1f\x8b"
_UNSIGNED_BYTE = 0x08


def read_idx(
    path: str | Path,
    *,
    shape: tuple[int, ...] | None = None,
    sha256: str | None = None,
    max_bytes: int = 1 << 30,
    cure: str = "Delete it and get it anew.",
) -> Tensor:
    """Read an IDX file of unsigned bytes, compressed with gzip or not.

    The hash is checked before anything is parsed, the header before the content is decompressed, and the content must
    be exactly as long as the header says: a file that lies about its length costs no more memory than *max_bytes*.

    Args:
        path: The file.
        shape: The shape that the header must say; any if left out.
        sha256: What the bytes of the file, as they are stored, must hash to, in hexadecimal; unchecked if left out.
        max_bytes: The most bytes to read, and the most to decompress them to.
        cure: What the user should do about a damaged file, in a sentence; the error ends with it.

    Returns:
        A uint8 tensor of the shape in the header.

    Raises:
        UsageError: If there is no such file.
        DamagedError: If it is no whole IDX file of unsigned bytes, or another one than was asked for.

    Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits", section on the file format.
    """
    path = Path(path)
    try:
        data = _read(path, max_bytes)
        if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
            raise _FormatError(f"its SHA-256 is not {sha256}")
        found, content = _parse(data, max_bytes)
        if shape is not None and found != shape:
            raise _FormatError(f"it holds {found}, not {shape}")
    except (_FormatError, zlib.error) as error:
        raise DamagedError(f"{str(path)!r} is damaged: {error}. {cure}") from error
    # Copied, as torch wants memory that may be written to; by NumPy, as torch.tensor takes four times as long.
    return torch.from_numpy(np.frombuffer(content, dtype=np.uint8).reshape(found).copy())


class _FormatError(Exception):
    """The file breaks the format; the message says how, without the file's name."""


def _read(path: Path, max_bytes: int) -> bytes:
    with open_file(path) as file:
        if os.fstat(file.fileno()).st_size > max_bytes:
            raise _FormatError(f"it is longer than {max_bytes:,} bytes")
        return file.read()


def _parse(data: bytes, max_bytes: int) -> tuple[tuple[int, ...], bytes | memoryview]:
    """Return the shape and the content of a file's bytes."""
    if not data.startswith(_GZIP_MAGIC):
        shape = _shape_of(data, max_bytes)
        content = memoryview(data)[4 + 4 * len(shape) :]
        return shape, _whole(content, shape)
    stream = zlib.decompressobj(wbits=31)
    start = stream.decompress(data, 4)
    header = start + stream.decompress(stream.unconsumed_tail, 4 * (start[3] if len(start) == 4 else 0) or 1)
    shape = _shape_of(header, max_bytes)
    # One byte more than is due, so that the stream's end and its checksum are reached, or too much of it is seen.
    unpacked = stream.decompress(stream.unconsumed_tail, math.prod(shape) + 1)
    if len(unpacked) <= math.prod(shape) and not stream.eof:
        raise _FormatError("it ends before its content does")
    if stream.unused_data:
        raise _FormatError(f"{len(stream.unused_data):,} bytes follow its content")
    return shape, _whole(unpacked, shape)


def _shape_of(header: bytes, max_bytes: int) -> tuple[int, ...]:
    """Return the shape that the header says: two zeros, the type, the number of sizes, the sizes, big-endian."""
    if len(header) < 4 or header[:2] != b"\0\0" or header[3] == 0:
        raise _FormatError("it does not begin as an IDX file does")
    if header[2] != _UNSIGNED_BYTE:
        raise _FormatError(f"it holds values of type 0x{header[2]:02x}, and only unsigned bytes (0x08) are read")
    sizes = header[4 : 4 + 4 * header[3]]
    if len(sizes) < 4 * header[3]:
        raise _FormatError("its header is cut short")
    shape = tuple(int.from_bytes(sizes[i : i + 4], "big") for i in range(0, len(sizes), 4))
    if math.prod(shape) > max_bytes:
        raise _FormatError(f"its header says {shape}, more than {max_bytes:,} bytes")
    return shape


def _whole(content: bytes | memoryview, shape: tuple[int, ...]) -> bytes | memoryview:
    if len(content) != math.prod(shape):
        raise _FormatError(f"its header says {shape}, {math.prod(shape):,} bytes, but {len(content):,} follow")
    return content
