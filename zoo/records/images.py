"""The record of a run's images: what they are known by, and the names of their files."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any

from zoo.errors import DamagedError
from zoo.files.json_pieces import json_pieces
from zoo.records.disk import DISK, parse_json, read_bytes, write_atomic

DATA = "data.json"
FILES = "files.json.gz"

_MAX_DATA = 16 * 2**20  # bytes; 22,000 classes take some two million
_MAX_FILES = 32 * 2**20  # bytes of JSON before they are compressed: some 800,000 files
_GZIP = 31  # zlib's word for a gzip stream


def write_images(path: Path, data: Mapping[str, Any], files: Mapping[str, Any]) -> None:
    """Write what a run's images are known by.

    Args:
        path: The run's directory.
        data: What each split is known by.
        files: The names, labels and sizes of the files of each split that has such; where they take more than 32 MiB
            they are left out: others are then refused without telling which they are.
    """
    DISK.remove(path / FILES)
    if files and _fits(files):
        write_atomic(path / FILES, b"".join(_packed(files)))
    write_atomic(path / DATA, json.dumps(data, indent=2, allow_nan=False) + "\n")


def read_data(path: Path) -> dict[str, Any]:
    """Return what a run's images are known by; empty where that was not kept.

    Raises:
        DamagedError: If the file is damaged.
    """
    return _parsed(read_bytes(path / DATA, _MAX_DATA), path / DATA) if (path / DATA).exists() else {}


def read_files(path: Path) -> dict[str, Any]:
    """Return the names, labels and sizes of a run's files by split; empty where they were not kept.

    Raises:
        DamagedError: If the file is damaged.
    """
    if not (path / FILES).exists():
        return {}
    stream = zlib.decompressobj(_GZIP)
    try:
        listed = stream.decompress(read_bytes(path / FILES, _MAX_FILES), _MAX_FILES + 1)
    except zlib.error as error:
        raise DamagedError(f"{path / FILES} is damaged: {error}") from error
    if not stream.eof:
        raise DamagedError(f"{path / FILES} is damaged: it ends early, or holds more than {_MAX_FILES} bytes")
    return _parsed(listed, path / FILES)


def _fits(files: Mapping[str, Any]) -> bool:
    """Return whether the JSON of *files* is short enough; where it is not, that is told before all of it is made."""
    total = accumulate(map(len, json_pieces(files, ",", ":")))
    return all(length <= _MAX_FILES for length in total)


def _packed(files: Mapping[str, Any]) -> Iterator[bytes]:
    stream = zlib.compressobj(9, wbits=_GZIP)
    for piece in json_pieces(files, ",", ":"):
        yield stream.compress(piece.encode("ascii"))
    yield stream.flush()


def _parsed(data: bytes, path: Path) -> dict[str, Any]:
    found = parse_json(data, str(path))
    if not isinstance(found, dict):
        raise DamagedError(f"{path} is damaged: it holds no JSON object")
    return found
