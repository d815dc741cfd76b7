"""Unpacking archives from elsewhere: nothing outside the folder, no links, no bombs, all of it or nothing."""

from __future__ import annotations

import bz2
import contextlib
import errno
import gzip
import os
import secrets
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, NamedTuple, cast

from zoo.errors import DamagedError, UsageError, ZooError
from zoo.files.downloads import open_file, sync_folder

_CHUNK = 1 << 16
_HEADER_LIMIT = 1 << 20  # of one read for tar's own headers, which tarfile takes at their word
_BYTES_A_MEMBER = 4096  # what tar may spend on a member besides its content: headers, long names, padding
_SLACK = 1 << 20  # zeros after the last member
_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    struct.error,
    EOFError,
    UnicodeError,
    ValueError,
    OverflowError,
    NotImplementedError,  # a compression that zipfile does not know
    RuntimeError,  # a member under a password
)


def unpack(archive: str | Path, folder: str | Path, *, max_bytes: int, max_members: int) -> Path:
    """Unpack a tar (plain, gzip, bzip2) or zip archive into a new folder, which appears whole or not at all.

    Only files and folders are unpacked. Links, devices, absolute names and names that lead outside are refused, and so
    is anything that unpacks to more than the limits: they are counted while it is unpacked, as headers may lie. Modes,
    owners and times in the archive are ignored.

    Args:
        archive: The archive; its kind is told from its content. Check its hash first: `download` does.
        folder: The folder to make; it must not exist, or be empty.
        max_bytes: The most bytes that all files together may have.
        max_members: The most files and folders.

    Returns:
        *folder*.

    Raises:
        UsageError: If there is no such archive, or *folder* exists and holds something.
        DamagedError: If the archive is damaged, or holds what is refused.
        ZooError: If the files cannot be written.
    """
    archive, folder = Path(archive), Path(folder)
    if os.path.lexists(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{str(folder)!r} exists already; nothing was unpacked")
    part = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.part")
    try:
        part.mkdir(parents=True)
        _unpack_into(part, archive, max_bytes, max_members)
        part.replace(folder)
        sync_folder(folder.parent)
    except ZooError:
        raise  # a UsageError is a ValueError, too
    except _RefusedError as error:
        raise DamagedError(f"{str(archive)!r} is refused: {error}. Nothing was unpacked.") from error
    except _BROKEN as error:
        raise DamagedError(f"{str(archive)!r} is damaged: {error or type(error).__name__}. Get it anew.") from error
    except OSError as error:
        # So bzip2's decoder says that its data is invalid, and zipfile that a member begins before the archive does.
        if error.errno in (None, errno.EINVAL):
            raise DamagedError(f"{str(archive)!r} is damaged: {error.strerror or error}. Get it anew.") from error
        raise ZooError(f"cannot unpack {str(archive)!r} to {str(folder)!r}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


class _RefusedError(Exception):
    """The archive holds what is not unpacked; the message says what."""


class _Member(NamedTuple):
    """One entry of an archive, and its content unless it is a folder."""

    name: str
    content: IO[bytes] | None


def _unpack_into(folder: Path, archive: Path, max_bytes: int, max_members: int) -> None:
    left = max_bytes
    with open_file(archive) as file:
        for count, member in enumerate(_members(file, max_bytes, max_members), start=1):
            if count > max_members:
                raise _RefusedError(f"it holds more than {max_members:,} files and folders")
            target = folder / _safe(member.name)
            try:
                left -= _place(member, target, left)
            except (FileExistsError, NotADirectoryError) as error:
                raise _RefusedError(f"it holds {member.name!r} twice, or as a file and as a folder") from error


def _safe(name: str) -> PurePosixPath:
    """Return *name* as a path that stays below the folder on any system, or refuse it."""
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts or any(sign in name for sign in "\\:\0"):
        raise _RefusedError(f"the name {name!r} leads outside")
    return path


def _place(member: _Member, target: Path, left: int) -> int:
    """Make a folder, or a new file of at most *left* bytes, and return how many they were."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if member.content is None:
        target.mkdir(exist_ok=True)
        return 0
    size = 0
    # Exclusive: one name twice, or two names that are one on this disk, do not replace each other.
    with target.open("xb") as file:
        while chunk := member.content.read(_CHUNK):
            size += len(chunk)
            if size > left:
                raise _RefusedError("it unpacks to more bytes than are allowed")
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return size


def _members(file: BinaryIO, max_bytes: int, max_members: int) -> Iterator[_Member]:
    magic = file.read(4)
    file.seek(0)
    if magic.startswith(b"PK"):
        return _zip_members(file)
    unpacked: IO[bytes] = file
    if magic.startswith(b"\x1f\x8b"):
        unpacked = cast("IO[bytes]", gzip.GzipFile(fileobj=file))
    elif magic.startswith(b"BZh"):
        unpacked = cast("IO[bytes]", bz2.BZ2File(file))
    # Not xz: its decoder takes as much memory as the archive asks for.
    return _tar_members(_Bounded(unpacked, max_bytes + (max_members + 1) * _BYTES_A_MEMBER + _SLACK))


class _Bounded:
    """A readable file that refuses to give more than *limit* bytes, or one of tar's own headers that is absurd."""

    def __init__(self, file: IO[bytes], limit: int) -> None:
        self._file, self._limit = file, limit

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _HEADER_LIMIT:
            raise _RefusedError("it has an absurdly long header")
        data = self._file.read(size)
        self._check()
        return data

    def seek(self, position: int) -> int:
        if position > self._limit:
            raise _RefusedError("it unpacks to more bytes than are allowed")
        return self._file.seek(position)

    def tell(self) -> int:
        return self._file.tell()

    def _check(self) -> None:
        if self._file.tell() > self._limit:
            raise _RefusedError("it unpacks to more bytes than are allowed")


def _tar_members(file: _Bounded) -> Iterator[_Member]:
    with tarfile.open(fileobj=cast("IO[bytes]", file), mode="r:") as archive:
        for info in archive:
            if info.isdir():
                yield _Member(info.name, None)
            elif info.isreg() and not info.issparse():
                yield _Member(info.name, archive.extractfile(info))
            else:
                raise _RefusedError(f"{info.name!r} is neither a file nor a folder")
        _check_end(file, archive.offset)


def _check_end(file: _Bounded, offset: int) -> None:
    """Check that only zeros follow the last member: tarfile takes a damaged header for the end, and reads no further.

    Reading to the end also lets gzip and bzip2 check their checksums.
    """
    file.seek(offset)
    size = 0
    while rest := file.read(_CHUNK):
        if rest.strip(b"\0"):
            raise tarfile.ReadError("a member's header is damaged")
        size += len(rest)
    if size < tarfile.BLOCKSIZE:
        raise tarfile.ReadError("it is cut short")


def _zip_members(file: BinaryIO) -> Iterator[_Member]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _RefusedError(f"{info.filename!r} is neither a file nor a folder")
            if info.is_dir():
                yield _Member(info.filename, None)
            else:
                with contextlib.closing(archive.open(info)) as content:
                    yield _Member(info.filename, content)
