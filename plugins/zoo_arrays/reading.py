"""Finding arrays by name in files, mapped into memory where their format allows it; nothing is unpickled."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import zoo

Array = NDArray[Any]

_WHOLE = {"U8": "u1", "U16": "u2", "U32": "u4", "U64": "u8", "I8": "i1", "I16": "i2", "I32": "i4", "I64": "i8"}
_TYPES = _WHOLE | {"F16": "f2", "F32": "f4", "F64": "f8", "BOOL": "?"}
"""Safetensors' names for what NumPy knows: also those that are refused later, in words that say what they are."""

_HEADER = 1 << 24  # bytes of a safetensors header at most


def read_arrays(root: Path) -> Mapping[str, Array]:
    """Return the arrays in a folder of .npy files, an .npz or a .safetensors file, by name.

    Raises:
        UsageError: If it is none of these.
        DamagedError: If it cannot be read, or holds objects, which would have to be unpickled.
    """
    if root.is_dir():
        paths = sorted(root.glob("*.npy"))
        if not paths:
            raise zoo.UsageError(f"there are no .npy files in {str(root)!r}")
        return {path.stem: _npy(path) for path in paths}
    if not root.is_file():
        raise zoo.UsageError(f"there is no file or folder {str(root)!r}")
    if root.suffix == ".npz":
        return _npz(root)
    if root.suffix == ".safetensors":
        return _safetensors(root)
    raise zoo.UsageError(f"{str(root)!r} must be a folder of .npy files, or end in .npz or .safetensors")


def _npy(path: Path) -> Array:
    try:
        found: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise zoo.DamagedError(f"{str(path)!r} is no array that zoo reads: {_line(error)}") from error
    return found


def _npz(path: Path) -> Mapping[str, Array]:
    if not zipfile.is_zipfile(path):  # of which NumPy says how it could be unpickled
        raise zoo.DamagedError(f"{str(path)!r} is no .npz that zoo reads: it is no zip archive, or damaged")
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise zoo.DamagedError(f"{str(path)!r} is no .npz that zoo reads: {_line(error)}") from error


def _safetensors(path: Path) -> Mapping[str, Array]:
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > _HEADER:
                raise ValueError("its header is too long")
            header: dict[str, Any] = json.loads(file.read(length))
        header.pop("__metadata__", None)
        return {name: _mapped(path, 8 + length, entry) for name, entry in header.items() if entry["dtype"] in _TYPES}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise zoo.DamagedError(f"{str(path)!r} is no safetensors file: {_line(error)}") from error


def _mapped(path: Path, begin: int, entry: Mapping[str, Any]) -> Array:
    kind, shape = np.dtype(_TYPES[entry["dtype"]]).newbyteorder("<"), tuple(map(int, entry["shape"]))
    start, stop = map(int, entry["data_offsets"])
    if stop - start != kind.itemsize * int(np.prod(shape)) or start < 0:
        raise ValueError("an array's length is not its shape's")
    return np.memmap(path, dtype=kind, mode="r", offset=begin + start, shape=shape)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
