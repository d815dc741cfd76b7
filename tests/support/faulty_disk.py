"""Disks for `zoo.runs` that count what is done to them, stop in the middle, fill up, or lose what was not synced."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from zoo.records.disk import Disk


class RecordingDisk(Disk):
    """Writes down every operation as (name, path), in order."""

    def __init__(self) -> None:
        self.operations: list[tuple[str, Path]] = []

    def make_directory(self, path: Path) -> None:
        self.operations.append(("make_directory", path))
        super().make_directory(path)

    def open(self, path: Path) -> BinaryIO:
        self.operations.append(("open", path))
        return super().open(path)

    def write(self, file: BinaryIO, data: bytes | memoryview) -> None:
        self.operations.append(("write", Path(file.name)))
        super().write(file, data)

    def sync(self, file: BinaryIO) -> None:
        self.operations.append(("sync", Path(file.name)))
        super().sync(file)

    def sync_directory(self, path: Path) -> None:
        self.operations.append(("sync_directory", path))
        super().sync_directory(path)

    def rename(self, source: Path, target: Path) -> None:
        self.operations.append(("rename", target))
        super().rename(source, target)

    def remove(self, path: Path) -> None:
        self.operations.append(("remove", path))
        super().remove(path)


class FaultyDisk(Disk):
    """Does *act* at the *at*-th fault point, and at every later one.

    There is a point before and after every operation, one in the middle of every write, and one in the middle of the
    removal of a directory. `count` tells how many were passed. Nothing is really synced: a process that ends loses
    nothing that it handed to the system.
    """

    def __init__(self, at: int, act: Callable[[str], None]) -> None:
        self.at, self.act, self.count = at, act, 0

    def _point(self, operation: str) -> None:
        self.count += 1
        if self.count >= self.at:
            self.act(operation)

    def make_directory(self, path: Path) -> None:
        self._point("make_directory")
        super().make_directory(path)
        self._point("make_directory")

    def open(self, path: Path) -> BinaryIO:
        self._point("open")
        file = path.open("wb", buffering=0)
        try:
            self._point("open")
        except BaseException:
            file.close()
            raise
        return file

    def write(self, file: BinaryIO, data: bytes | memoryview) -> None:
        self._point("write")
        file.write(data[: len(data) // 2])
        self._point("write")
        file.write(data[len(data) // 2 :])
        self._point("write")

    def sync(self, file: BinaryIO) -> None:
        self._point("sync")
        self._point("sync")

    def sync_directory(self, path: Path) -> None:
        self._point("sync_directory")
        self._point("sync_directory")

    def rename(self, source: Path, target: Path) -> None:
        self._point("rename")
        super().rename(source, target)
        self._point("rename")

    def remove(self, path: Path) -> None:
        self._point("remove")
        if path.is_dir():
            for child in sorted(path.iterdir())[:2]:
                child.unlink()
            self._point("remove")
        super().remove(path)
        self._point("remove")


def patient_disk() -> Disk:
    """Return a disk without faults that syncs nothing, for tests that make hundreds of saves."""
    return FaultyDisk(10**9, lambda operation: None)


def fill_up(operation: str) -> None:
    """Act as a full disk does: whatever needs room fails."""
    if operation in ("make_directory", "open", "write", "sync"):
        raise OSError(errno.ENOSPC, "No space left on device")


def refuse(operation: str) -> None:
    """Act as a disk that has failed: nothing works."""
    raise OSError(errno.EIO, "Input/output error")


class PowerCut(BaseException):
    """The machine stopped."""


class LosingDisk(FaultyDisk):
    """Loses, when the power is cut at a fault point, all that was not synced by then.

    Args:
        at: The fault point.
        keep_names: Whether names reach the disk at once, before the data that they name, or only with their directory.
    """

    def __init__(self, at: int, *, keep_names: bool) -> None:
        super().__init__(at, self._cut)
        self.keep_names, self.off = keep_names, False
        self._unsynced: set[int] = set()
        self._files: dict[int, Path] = {}
        self._undo: list[tuple[Path, Callable[[], None]]] = []

    def _cut(self, operation: str) -> None:
        self.off = True
        raise PowerCut

    def make_directory(self, path: Path) -> None:
        super().make_directory(path)
        self._undo.append((path.parent, lambda: shutil.rmtree(path, ignore_errors=True)))

    def open(self, path: Path) -> BinaryIO:
        if not path.exists():
            self._undo.append((path.parent, lambda: path.unlink(missing_ok=True)))
        file = super().open(path)
        self._unsynced.add(path.stat().st_ino)
        return file

    def sync(self, file: BinaryIO) -> None:
        super().sync(file)
        self._unsynced.discard(Path(file.name).stat().st_ino)

    def sync_directory(self, path: Path) -> None:
        super().sync_directory(path)
        self._undo = [(directory, undo) for directory, undo in self._undo if directory != path]

    def rename(self, source: Path, target: Path) -> None:
        replaced = target.read_bytes() if target.is_file() else None
        super().rename(source, target)

        def undo() -> None:
            if target.exists():  # else it was removed since, and the removal stays: it needs no sync to happen
                target.rename(source)
            if replaced is not None:
                target.write_bytes(replaced)

        self._undo.append((target.parent, undo))

    def lose(self, root: Path) -> None:
        """Leave under *root* what the machine finds when it starts again."""
        for path in root.rglob("*"):
            if path.is_file() and path.stat().st_ino in self._unsynced:
                path.write_bytes(b"")
        if not self.keep_names:
            for _, undo in reversed(self._undo):
                undo()
