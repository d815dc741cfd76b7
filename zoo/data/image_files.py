"""Image files as encoded images, so many that their paths must cost no more than their letters."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from zoo.data.lazy import Lazy
from zoo.errors import DamagedError, DamagedFilesError, UsageError
from zoo.files.byte_strings import ByteStrings
from zoo.files.downloads import open_file

_BETWEEN = b"\0"  # names, where many are one text


class ImageFiles:
    """Files of encoded images below a folder, in an order of the caller's.

    A file may not change from when it is first opened on: training on it would not be repeatable.

    Args:
        root: The folder.
        paths: Each file's path, relative to it, as the system spells it; each once.
        cure: What to do about a file that cannot be read, in a sentence.

    Raises:
        UsageError: If a path holds a zero byte, which no file's does.
    """

    def __init__(self, root: str | Path, paths: Iterable[str | os.PathLike[str]], *, cure: str = "Remove it.") -> None:
        self.root = Path(root)
        self._below = str(self.root)
        self.cure = cure
        self._paths = ByteStrings.of(map(os.fsencode, paths))
        if odd := self._paths.having(_BETWEEN):
            raise UsageError(f"there can be no file {os.fsdecode(odd)!r}, with a zero byte in its name")
        # What tells a file from a later one under its name: its time of change mixed with its size; 0 unopened.
        self._stamps: NDArray[np.int64] = np.zeros(len(self._paths), dtype=np.int64)

    def __len__(self) -> int:
        return len(self._paths)

    @property
    def names(self) -> Sequence[str]:
        """Each file's path below the root as every system spells it, NFC; bytes that are no text are escaped."""
        return Lazy(len(self), lambda index: self._names(index, index + 1)[0], self._names)

    @property
    def sizes(self) -> Sequence[int]:
        """The bytes of each file, looked up when they are asked for; a `DamagedFilesError` where one is not there."""
        return Lazy(len(self), lambda index: self._sizes(index, index + 1)[0], self._sizes)

    def place(self, index: int) -> str:
        """Return a file's path."""
        # As text: for each image read, a Path would take longer than opening the file.
        return os.path.join(self._below, os.fsdecode(self._paths[index]))  # noqa: PTH118

    def open(self, index: int) -> BinaryIO:
        """Open a file.

        Raises:
            UsageError: If it is no file that can be read.
            DamagedError: If it changed since it was first opened.
        """
        file = open_file(self.place(index))
        found = os.fstat(file.fileno())
        stamp = (found.st_mtime_ns ^ (found.st_size << 1)) | 1
        stamp = (stamp + 2**63) % 2**64 - 2**63
        if self._stamps[index] not in (0, stamp):
            file.close()
            raise DamagedError(f"{self.place(index)!r} was changed while it was in use: its size or time is another")
        self._stamps[index] = stamp
        return file

    def _names(self, start: int, stop: int) -> list[str]:
        # As one text, since a call for each would take most of the time. A zero byte composes with nothing.
        text = _BETWEEN.join(self._paths.cut(start, stop)).decode("utf-8", "backslashreplace")
        return unicodedata.normalize("NFC", text if os.sep == "/" else text.replace(os.sep, "/")).split("\0")

    def _sizes(self, start: int, stop: int) -> list[int]:
        root = os.fsencode(self.root)
        found, faults = [], {}
        for path in self._paths.cut(start, stop):
            try:
                found.append(os.stat(os.path.join(root, path)).st_size)  # noqa: PTH116, PTH118 - of millions
            except OSError as error:
                place = os.fsdecode(os.path.join(root, path))  # noqa: PTH118
                faults[place] = DamagedError(f"cannot read {place!r}: {error.strerror}")
        if faults:
            raise DamagedFilesError(faults, self.cure)
        return found
