"""Image files as encoded images, so many that their paths must cost no more than their letters."""

from __future__ import annotations

import os
import unicodedata
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from zoo.errors import DamagedError
from zoo.files.downloads import open_file

T = TypeVar("T")


class Lazy(Sequence[T]):
    """A sequence whose items are made when they are asked for.

    Args:
        count: N.
        item: Makes the item at an index from 0 to below N.
    """

    def __init__(self, count: int, item: Callable[[int], T]) -> None:
        self._count = count
        self._item = item

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        """Return the item at *index*, or a list of those in a slice."""
        if isinstance(index, slice):
            return [self._item(each) for each in range(*index.indices(self._count))]
        return self._item(range(self._count)[index])

    def __iter__(self) -> Iterator[T]:
        return map(self._item, range(self._count))

    def __eq__(self, other: object) -> bool:
        """Compare with any sequence, item by item, as lists do."""
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(mine == others for mine, others in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # as of a list


class ByteStrings(Lazy[bytes]):
    """Many byte strings in one buffer, with the places where they end.

    Args:
        items: The byte strings.
    """

    def __init__(self, items: Iterable[bytes]) -> None:
        self._buffer, ends = bytearray(), array("Q", [0])
        for item in items:
            self._buffer += item
            ends.append(len(self._buffer))
        self._ends = np.array(ends, dtype=np.uint32 if len(self._buffer) < 2**32 else np.uint64)
        super().__init__(len(self._ends) - 1, self._cut)

    def _cut(self, index: int) -> bytes:
        return bytes(memoryview(self._buffer)[self._ends[index] : self._ends[index + 1]])


class ImageFiles:
    """Files of encoded images below a folder, in an order of the caller's.

    A file may not change from when it is first opened on: training on it would not be repeatable.

    Args:
        root: The folder.
        paths: Each file's path, relative to it, as the system spells it; each once.
        cure: What to do about a file that cannot be read, in a sentence.
    """

    def __init__(self, root: str | Path, paths: Iterable[str | os.PathLike[str]], *, cure: str = "Remove it.") -> None:
        self.root = Path(root)
        self.cure = cure
        self._paths = ByteStrings(os.fsencode(path) for path in paths)
        # What tells a file from a later one under its name: its time of change mixed with its size; 0 unopened.
        self._stamps: NDArray[np.int64] = np.zeros(len(self._paths), dtype=np.int64)

    def __len__(self) -> int:
        return len(self._paths)

    @property
    def names(self) -> Sequence[str]:
        """Each file's path below the root as every system spells it, NFC; bytes that are no text are escaped."""
        return Lazy(len(self), self._name)

    @property
    def sizes(self) -> Sequence[int]:
        """The bytes of each file, looked up when they are asked for."""
        return Lazy(len(self), lambda index: Path(self.place(index)).stat().st_size)

    def place(self, index: int) -> str:
        """Return a file's path."""
        return str(self.root / os.fsdecode(self._paths[index]))

    def open(self, index: int) -> BinaryIO:
        """Open a file.

        Raises:
            UsageError: If it is no file that can be read.
            DamagedError: If it changed since it was first opened.
        """
        file = open_file(Path(self.place(index)))
        found = os.fstat(file.fileno())
        stamp = (found.st_mtime_ns ^ (found.st_size << 1)) | 1
        stamp = (stamp + 2**63) % 2**64 - 2**63
        if self._stamps[index] not in (0, stamp):
            file.close()
            raise DamagedError(f"{self.place(index)!r} was changed while it was in use: its size or time is another")
        self._stamps[index] = stamp
        return file

    def _name(self, index: int) -> str:
        text = self._paths[index].decode("utf-8", "backslashreplace")
        return unicodedata.normalize("NFC", text.replace(os.sep, "/"))
