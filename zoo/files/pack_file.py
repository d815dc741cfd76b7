"""A whole set of images in one file, which is written once and read by place: the format, its writer and its reader.

All numbers are little-endian. Nothing in it is unpickled, and all of it is checked by SHA-256.

    8 bytes       ``ZOOPACK1``
    images        the bytes of each image, one behind the other, split by split
    arrays        of each split, each beginning at a multiple of 64: see `_ARRAYS`
    header        JSON: what it holds, where each array begins, its length and its SHA-256
    56 bytes      where the header begins and its length, as uint64; its SHA-256; ``ZOOPACK1``
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from zoo.errors import DamagedError, UsageError
from zoo.files.byte_strings import ByteStrings

MAGIC = b"ZOOPACK1"
SCHEMA = 1

_TRAILER = struct.Struct("<QQ32s8s")
_ALIGNED = 64
_HEADER = 1 << 26  # bytes at most
_ARRAYS = {
    "ends": "<u8",
    "labels": "<i8",
    "digests": "u1",
    "names": "u1",
    "name_ends": "<u8",
    "weights": "<f8",
    "groups": "u1",
    "group_ends": "<u8",
}
"""Of N images: where each one's bytes end in the file; labels; SHA-256 digests; names in UTF-8, and where each ends;
weights, which may be missing; and groups as names are, which may be, too."""


class PackWriter:
    """Writes a pack beside its place, and gives it its name when it is whole.

    Args:
        path: Where the file is to be; it must not exist.

    Raises:
        UsageError: If there is such a file, or it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        if path.exists():
            raise UsageError(f"there is a file {str(path)!r}; give another name, or remove it")
        self.path = path
        self.part = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._splits: dict[str, dict[str, list[Any]]] = {}
        try:
            self._file = self.part.open("xb")
        except OSError as error:
            raise UsageError(f"cannot write {str(path)!r}: {error.strerror}") from error
        self._file.write(MAGIC)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self.part.unlink(missing_ok=True)  # it has its name by now, or is not whole

    def add(
        self, split: str, name: str, label: int, data: bytes, weight: float | None = None, group: str | None = None
    ) -> None:
        """Write the next image of a split; a split's images come one behind the other."""
        self._file.write(data)
        values = {
            "ends": self._file.tell(),
            "labels": label,
            "digests": hashlib.sha256(data).digest(),
            "names": name,
            "weights": weight,
            "groups": group,
        }
        held = self._splits.setdefault(split, {key: [] for key in values})
        for key, value in values.items():
            held[key].append(value)

    def finish(self, about: Mapping[str, Any]) -> None:
        """Write the rest, read everything back, and give the file its name.

        Args:
            about: What else the header says.

        Raises:
            DamagedError: If what was read back is not what was written.
        """
        header = {
            **about,
            "schema": SCHEMA,
            "splits": {name: self._arrays(held) for name, held in self._splits.items()},
        }
        text = json.dumps(header).encode()
        begin = self._file.tell()
        self._file.write(text)
        self._file.write(_TRAILER.pack(begin, len(text), hashlib.sha256(text).digest(), MAGIC))
        self._file.flush()
        os.fsync(self._file.fileno())
        with PackFile(self.part) as written:
            written.verify()
        self._file.close()
        self.part.replace(self.path)
        with contextlib.suppress(OSError):  # Windows opens no directory
            folder = os.open(self.path.parent, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)

    def _arrays(self, held: Mapping[str, list[Any]]) -> dict[str, Any]:
        arrays: dict[str, Any] = {
            "ends": held["ends"],
            "labels": held["labels"],
            "digests": np.frombuffer(b"".join(held["digests"]), np.uint8),
        }
        arrays["names"], arrays["name_ends"] = _texts_in_bytes(held["names"])
        if None not in held["weights"]:
            arrays["weights"] = held["weights"]
        if None not in held["groups"]:
            arrays["groups"], arrays["group_ends"] = _texts_in_bytes(held["groups"])
        return {key: self._written(np.asarray(values, _ARRAYS[key])) for key, values in arrays.items()}

    def _written(self, array: NDArray[Any]) -> dict[str, Any]:
        self._file.write(bytes(-self._file.tell() % _ALIGNED))
        begin, data = self._file.tell(), array.tobytes()
        self._file.write(data)
        return {"begin": begin, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _texts_in_bytes(texts: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Return the UTF-8 bytes of texts, one behind the other, and where each ends; `text_of` reads one."""
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    return np.frombuffer(b"".join(encoded), np.uint8), np.cumsum([len(text) for text in encoded])


def text_of(data: bytes) -> str:
    """Return a name or a group of its bytes in a pack."""
    return data.decode("utf-8", "surrogatepass")


class PackedSplit:
    """The images of a split, N of them, read by their places. Threads may at once.

    Attributes:
        labels: int64 (N,).
        weights: float64 (N,), or None.
        sizes: The bytes of each image, int64 (N,).
        names: N texts, as bytes: see `text_of`.
        groups: N texts, likewise, or None.
    """

    def __init__(self, file: PackFile, arrays: Mapping[str, NDArray[Any]], first: int) -> None:
        self._file = file
        self.labels: NDArray[np.int64] = arrays["labels"].astype(np.int64)
        self.weights: NDArray[np.float64] | None = arrays.get("weights")
        self._begins = np.concatenate([[first], arrays["ends"][:-1]]).astype(np.int64)
        self.sizes: NDArray[np.int64] = arrays["ends"].astype(np.int64) - self._begins
        self._digests = arrays["digests"].reshape(-1, 32)
        self.names = ByteStrings(arrays["names"].tobytes(), arrays["name_ends"])
        self.groups = ByteStrings(arrays["groups"].tobytes(), arrays["group_ends"]) if "groups" in arrays else None
        counts = {len(self.labels), len(self.sizes), len(self._digests), len(self.names)}
        if len(counts | ({len(self.groups)} if self.groups is not None else set())) > 1:
            raise ValueError("its arrays have different lengths")

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, index: int) -> bytes:
        """Return an image's bytes.

        Raises:
            DamagedError: If they are not those that were written.
        """
        data = self._file.at(int(self._begins[index]), int(self.sizes[index]))
        if hashlib.sha256(data).digest() != self._digests[index].tobytes():
            raise DamagedError(
                f"{str(self._file.path)!r} is damaged: the image {text_of(self.names[index])!r} is not as it was packed"
            )
        return data


class PackFile:
    """A pack that is open for reading: what it holds, and its images by their places.

    Args:
        path: The file.

    Attributes:
        header: What it says of itself.
        splits: By name.

    Raises:
        UsageError: If there is no such file, or it is a folder.
        DamagedError: If it is no pack, cut short, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.is_dir():
            raise UsageError(
                f"{str(path)!r} is a folder and no pack; 'zoo pack' makes one of it, or give --data folder"
            )
        try:
            self._descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except OSError as error:
            raise UsageError(f"cannot read {str(path)!r}: {error.strerror}") from error
        try:
            self.header = self._header()
            splits, first = {}, len(MAGIC)
            for name, described in self.header["splits"].items():
                arrays = {key: self._array(key, entry) for key, entry in described.items() if key in _ARRAYS}
                splits[str(name)] = PackedSplit(self, arrays, first)
                first = int(arrays["ends"][-1])
            self.splits: Mapping[str, PackedSplit] = splits
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, struct.error) as error:
            raise DamagedError(f"{str(path)!r} is no pack of zoo's, or damaged: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        descriptor, self._descriptor = getattr(self, "_descriptor", -1), -1
        if descriptor >= 0:
            os.close(descriptor)

    def at(self, begin: int, count: int) -> bytes:
        """Return bytes of the file; fewer where it ends. Read and not mapped: a file cut short kills no process."""
        return os.pread(self._descriptor, count, begin)

    def verify(self) -> None:
        """Read every image once.

        Raises:
            DamagedError: If one is not as it was written.
        """
        for split in self.splits.values():
            for index in range(len(split)):
                split.read(index)

    def _header(self) -> dict[str, Any]:
        size = os.fstat(self._descriptor).st_size
        begin, length, digest, magic = _TRAILER.unpack(self.at(max(0, size - _TRAILER.size), _TRAILER.size))
        if magic != MAGIC or self.at(0, len(MAGIC)) != MAGIC or length > _HEADER or begin > size:
            raise ValueError("it does not begin and end as one")
        text = self.at(begin, length)
        if hashlib.sha256(text).digest() != digest:
            raise ValueError("its header is not as it was written")
        header: dict[str, Any] = json.loads(text)
        if header["schema"] != SCHEMA:
            raise ValueError(f"it has schema {header['schema']!r}, and this torch-zoo reads {SCHEMA}; update it")
        return header

    def _array(self, key: str, entry: Mapping[str, Any]) -> NDArray[Any]:
        data = self.at(int(entry["begin"]), int(entry["bytes"]))
        if hashlib.sha256(data).hexdigest() != entry["sha256"]:
            raise ValueError(f"its {key} are not as they were written")
        return np.frombuffer(data, _ARRAYS[key])
