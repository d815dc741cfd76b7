"""One writer for a run's directory.

The operating system holds the lock and lets it go when the process ends, however it ends: a dead writer's lock is free.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import stat
import sys
import time
import weakref
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from zoo.errors import ZooError

_NOTE = ".lock"
_PATIENCE = 0.25  # seconds; `is_locked` in another process holds the lock for some microseconds
_HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)

if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        # The locked byte lies far behind the note: Windows would keep others from reading it.
        os.lseek(descriptor, 2**30, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class RunLock:
    """Holds a directory against a second writer, as a context manager; readers are not kept out.

    On Linux and macOS the directory itself is locked, and a hidden file in it tells who holds it, for the message; that
    file is removed at the end. What a killed writer leaves of it locks nothing, and the next writer takes it over.
    Where a directory cannot be locked (NFS, Windows) the file is locked instead, and stays.

    Args:
        directory: It exists. It may be renamed or removed while it is locked.
        patience: Seconds to wait for another holder.
    """

    def __init__(self, directory: Path, patience: float = _PATIENCE) -> None:
        self.directory = directory
        self._patience = patience
        self._descriptor: int | None = None

    def __enter__(self) -> RunLock:
        """Take the lock.

        Raises:
            ZooError: If another process, or another lock of this one, holds it, or the file system has no locks.
        """
        if not self.take():
            raise ZooError(
                f"{self.directory} is being written by {holder(self.directory)}; wait for it, or give another directory"
            )
        return self

    def take(self) -> bool:
        """Take the lock, and return whether it was taken: False where another process, or lock, goes on holding it.

        Raises:
            ZooError: If the file system has no locks.
        """
        self._descriptor = _acquire(self.directory, time.monotonic() + self._patience)
        if self._descriptor is None:
            return False
        _live.add(self)
        with suppress(OSError):  # a full disk keeps nobody from the lock, only from being named
            _write_note(self._descriptor)
        return True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Let the lock go."""
        self.release()

    def release(self) -> None:
        """Let the lock go, if it is held."""
        if self._descriptor is None:
            return
        with suppress(OSError):
            if _is_directory(self._descriptor):
                os.unlink(_NOTE, dir_fd=self._descriptor)
            else:
                os.ftruncate(self._descriptor, 0)
        self._close()

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def is_locked(directory: Path) -> bool:
    """Tell whether a living process holds the `RunLock` of *directory*; of a missing one, none does."""
    try:
        os.close(_open_locked(directory))
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _acquire(directory: Path, deadline: float) -> int | None:
    """Return a descriptor that holds the lock until it is closed; None where another holds it until the deadline."""
    while True:
        try:
            return _open_locked(directory)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return None
            time.sleep(0.01)
        except OSError as error:
            raise ZooError(f"{directory} cannot be locked: {error.strerror or error}") from error


def _open_locked(directory: Path) -> int:
    """Lock the directory, or its note where a directory cannot be.

    Raises:
        BlockingIOError: If it is held.
        OSError: If neither can be locked.
    """
    try:
        return _locked(os.open(directory, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)))
    except (FileNotFoundError, NotADirectoryError, BlockingIOError):
        raise
    except OSError:
        return _locked(os.open(directory / _NOTE, os.O_RDWR | os.O_CREAT, 0o644))


def _locked(descriptor: int) -> int:
    try:
        _take(descriptor)
    except OSError as error:
        os.close(descriptor)
        if error.errno in _HELD:
            raise BlockingIOError(*error.args) from error
        raise
    return descriptor


def _is_directory(descriptor: int) -> bool:
    return stat.S_ISDIR(os.fstat(descriptor).st_mode)


def _write_note(held: int) -> None:
    """Write who holds the lock, through the descriptor that holds it: the directory may have another name by now."""
    text = json.dumps({"host": socket.gethostname(), "pid": os.getpid()}).encode()
    if not _is_directory(held):
        os.ftruncate(held, 0)
        os.write(held, text)
        return
    descriptor = os.open(_NOTE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644, dir_fd=held)
    try:
        os.write(descriptor, text)
    finally:
        os.close(descriptor)


def holder(directory: Path) -> str:
    """Return who holds the `RunLock` of a directory that is locked, as ``process 7 on host``."""
    try:
        note = json.loads((directory / _NOTE).read_text())
        return f"process {int(note['pid'])} on {note['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


# A child that was forked, such as a data worker, has the parent's descriptors: were it to outlive a killed parent, it
# would go on holding the lock. Processes that run another program do not get them.
_live: weakref.WeakSet[RunLock] = weakref.WeakSet()


def _forget_in_child() -> None:
    for lock in list(_live):
        lock._close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
