"""What is written durably: small files that are replaced whole, canonical JSON, and the disk as an object.

Everything that a save does to the disk goes through a `Disk`, one method for each kind of operation, so that whoever
wants to know what is left when a save stops in the middle can hand in a disk that stops there.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO

from zoo.errors import DamagedError, UsageError

try:
    from fcntl import F_FULLFSYNC, fcntl  # type: ignore[attr-defined, unused-ignore]
except ImportError:  # only macOS has it
    F_FULLFSYNC = None

_TEMPORARY = ".tmp"
# To open a pipe would otherwise mean to wait for its writer. Windows has no such flag, but needs another.
_READ_WITHOUT_WAITING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class Disk:
    """The file system, as a save sees it. Every method either has its whole effect or raises `OSError`."""

    def make_directory(self, path: Path) -> None:
        """Make a new directory in one that exists."""
        path.mkdir()

    def open(self, path: Path) -> BinaryIO:
        """Open a file for writing; what it held is gone."""
        return path.open("wb")

    def write(self, file: BinaryIO, data: bytes | memoryview) -> None:
        """Append *data* to an open file."""
        file.write(data)

    def sync(self, file: BinaryIO) -> None:
        """Return once everything written to *file* would survive a loss of power."""
        file.flush()
        _sync(file.fileno())

    def sync_directory(self, path: Path) -> None:
        """Return once the names in the directory *path* would survive a loss of power."""
        if os.name == "nt":  # Windows opens no directory; its rename is ordered by the file system's journal
            return
        descriptor = os.open(path, os.O_RDONLY)
        try:
            _sync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """Give *source* the name *target*, in one step. A file that has that name is replaced."""
        source.replace(target)

    def remove(self, path: Path) -> None:
        """Remove a file, or a directory with all that is in it."""
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _sync(descriptor: int) -> None:
    if F_FULLFSYNC is not None:
        # macOS's fsync stops at the drive's cache. Not every file system there knows the stronger call.
        with suppress(OSError):
            fcntl(descriptor, F_FULLFSYNC)
            return
    os.fsync(descriptor)


DISK = Disk()


@dataclass(frozen=True)
class Written:
    """What was written to a file.

    Attributes:
        size: In bytes.
        sha256: Of those bytes, in lower-case hexadecimal digits.
    """

    size: int
    sha256: str


def write_synced(path: Path, chunks: Iterable[bytes | memoryview], disk: Disk = DISK) -> Written:
    """Write *chunks* to the file *path*, one after the other, and wait until they are on the disk.

    Only one chunk is held at a time. A reader may see the file half written: give it a name that nobody reads.

    Raises:
        OSError: If the disk is full, or refuses otherwise. The file may be there in part.
    """
    digest, size = hashlib.sha256(), 0
    with disk.open(path) as file:
        for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            disk.write(file, chunk)
        disk.sync(file)
    return Written(size, digest.hexdigest())


def write_atomic(path: Path, data: bytes | str | Iterable[bytes | memoryview], disk: Disk = DISK) -> Written:
    """Replace a file whole: whenever the process or the machine stops, it holds the old or the new content.

    The new content is written beside it under a fixed name, so that what a dead writer left there is overwritten by
    the next. One writer at a time: whoever writes into a run's directory holds its `zoo.records.lock.RunLock`.

    Args:
        path: The file; its directory exists.
        data: All of its content: text, which is written as UTF-8, bytes, or parts that are made as they are written.
        disk: Where to write.

    Returns:
        What was written.

    Raises:
        OSError: If the disk is full, or refuses otherwise. The old content is then still there.
    """
    temporary = path.with_name(f".{path.name}{_TEMPORARY}")
    if isinstance(data, str):
        data = data.encode()
    try:
        written = write_synced(temporary, [data] if isinstance(data, bytes) else data, disk)
        disk.rename(temporary, path)
    except Exception:
        with suppress(OSError):
            disk.remove(temporary)
        raise
    disk.sync_directory(path.parent)
    return written


@contextmanager
def named_when_whole(path: Path) -> Iterator[Path]:
    """Give a name beside *path* to write to; what stands there takes that place in the end, or is removed.

    For files that are written piece by piece, and can be made again: nothing waits for the disk.

    Raises:
        OSError: If it cannot take its place.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield part
        part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink()


def refuse_existing(path: Path, cure: str) -> None:
    """See that nothing is called *path*.

    Raises:
        UsageError: If something is; *cure* ends the sentence.
    """
    if path.exists() or path.is_symlink():
        raise UsageError(f"{str(path)!r} exists; nothing is written over, {cure}")


@contextmanager
def directory_when_whole(path: Path, cure: str) -> Iterator[Path]:
    """Give an empty directory that no other process knows; it is called *path* in the end, or removed.

    Args:
        path: Where nothing is yet; directories above it are made.
        cure: What to do where that cannot be, as the end of a sentence.

    Raises:
        UsageError: If it cannot be made, or something is called *path* by then.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        holder = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    except OSError as error:
        raise UsageError(f"cannot make {str(path)!r}: {error.strerror}; {cure}") from None
    try:
        part = holder / path.name  # one within, as mkdtemp's are for their owner alone
        part.mkdir()
        yield part
        refuse_existing(path, cure)
        DISK.rename(part, path)
        DISK.sync_directory(path.parent)
    finally:
        shutil.rmtree(holder, ignore_errors=True)


@contextmanager
def open_regular(path: Path, max_bytes: int | None = None) -> Iterator[tuple[BufferedReader, int]]:
    """Open a file that anyone may have put there, for reading; a pipe or a device is refused rather than waited for.

    Args:
        path: The file.
        max_bytes: Refuse a larger one.

    Yields:
        The open file and its size in bytes.

    Raises:
        DamagedError: If it is missing, no regular file, too large, or cannot be read.
    """
    try:
        with os.fdopen(os.open(path, _READ_WITHOUT_WAITING), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise DamagedError(f"{path} is not a file")
            if max_bytes is not None and status.st_size > max_bytes:
                raise DamagedError(f"{path} has {status.st_size} bytes, more than the {max_bytes} allowed here")
            yield file, status.st_size
    except FileNotFoundError as error:
        raise DamagedError(f"{path} is missing") from error
    except OSError as error:
        raise DamagedError(f"{path} cannot be read: {error.strerror or error}") from error


def read_bytes(path: Path, max_bytes: int) -> bytes:
    """Return all of a small file that anyone may have put there.

    Raises:
        DamagedError: If it is missing, no regular file, larger than *max_bytes*, or cannot be read.
    """
    with open_regular(path, max_bytes) as (file, size):
        return file.read(size)


def canonical_json(value: Any) -> bytes:
    """Return *value* as the one JSON text that equal values have: sorted keys, no spaces, ASCII, one line.

    Raises:
        ValueError: If a number in it is not finite: JSON has no such numbers.
        TypeError: If something in it is neither a number, a string, a bool, None, a list nor a dict.
    """
    text = json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return text.encode("ascii") + b"\n"


def parse_json(data: bytes, where: str) -> Any:
    """Read JSON that anyone may have written.

    Args:
        data: UTF-8. Hold its length down: the objects that come of it take up to 50 times as much memory.
        where: What is read, for the message.

    Raises:
        DamagedError: If it is no JSON, says NaN or Infinity, names a key twice, or nests too deeply.
    """
    try:
        return json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{where} is damaged: not valid JSON ({error})") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is named twice")
    return found


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")
