"""A run's directory has one writer; whoever dies, however, lets go of it."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from zoo.errors import ZooError
from zoo.records import lock
from zoo.records.lock import RunLock, is_locked

HOLD = """
import os, sys, time
from pathlib import Path
from zoo.records.lock import RunLock
with RunLock(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""
FORK_AND_HOLD = """
import os, sys, time
from pathlib import Path
from zoo.records.lock import RunLock
with RunLock(Path(sys.argv[1])):
    child = os.fork()
    if child:
        print(child, flush=True)
    time.sleep(60)
"""


@contextmanager
def another_process(code: str, directory: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run *code* on *directory*; yield the process and the first line that it printed."""
    command = [sys.executable, "-c", code, str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def test_a_second_writer_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    """With process and host, and exit code 1; readers see that it is locked."""
    with another_process(HOLD, tmp_path) as (process, line):
        assert line == "locked"
        assert is_locked(tmp_path)
        with (
            pytest.raises(ZooError, match=rf"is being written by process {process.pid} on \S+; wait") as caught,
            RunLock(tmp_path),
        ):
            pass
        assert caught.value.exit_code == 1
        process.communicate("")
    assert not is_locked(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with RunLock(tmp_path):
        pass


def test_a_killed_writer_s_lock_is_free(tmp_path: Path) -> None:
    """What it left behind locks nothing, and the next writer removes it."""
    with another_process(HOLD, tmp_path) as (process, _):
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not is_locked(tmp_path)
        with RunLock(tmp_path):
            assert is_locked(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_forked_child_does_not_hold_its_killed_parent_s_lock(tmp_path: Path) -> None:
    """A data worker that outlives the writer keeps nobody out."""
    with another_process(FORK_AND_HOLD, tmp_path) as (process, line):
        child = int(line)
        try:
            process.send_signal(signal.SIGKILL)
            process.wait()
            os.kill(child, 0)  # it lives
            with RunLock(tmp_path):
                pass
        finally:
            os.kill(child, signal.SIGKILL)


def test_two_locks_of_one_process_exclude_each_other(tmp_path: Path) -> None:
    """`zoo.train` twice in two threads is two writers."""
    with RunLock(tmp_path), pytest.raises(ZooError, match=f"process {os.getpid()} on"), RunLock(tmp_path):
        pass


def test_a_lock_can_be_taken_again(tmp_path: Path) -> None:
    """After it was let go, also by an error."""
    held = RunLock(tmp_path)
    for _ in range(2):
        with pytest.raises(RuntimeError), held:
            raise RuntimeError
    assert not is_locked(tmp_path)


def test_a_lock_outlives_its_directory(tmp_path: Path) -> None:
    """A run whose directory is renamed or removed lets go without an error, and touches none put in its place."""
    directory, moved = tmp_path / "run", tmp_path / "moved"
    directory.mkdir()
    with RunLock(directory):
        directory.rename(moved)
        directory.mkdir()
        with RunLock(directory):
            assert is_locked(moved)
            assert (directory / ".lock").exists()
    assert list(moved.iterdir()) == []
    with RunLock(moved):
        (moved / ".lock").unlink()
        moved.rmdir()
    assert not is_locked(moved)


def test_a_directory_that_is_missing_or_a_file_cannot_be_locked(tmp_path: Path) -> None:
    """One line says so; nothing is made."""
    (tmp_path / "file").touch()
    for name in ("none", "file"):
        assert not is_locked(tmp_path / name)
        with pytest.raises(ZooError, match="cannot be locked"), RunLock(tmp_path / name):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.fixture
def without_directory_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the file system one that locks files but no directories, as NFS and Windows do."""
    real = lock._take

    def take(descriptor: int) -> None:
        if lock._is_directory(descriptor):
            raise OSError(errno.EBADF, "Bad file descriptor")
        real(descriptor)

    monkeypatch.setattr(lock, "_take", take)


@pytest.mark.usefixtures("without_directory_locks")
def test_where_directories_cannot_be_locked_a_file_in_them_is(tmp_path: Path) -> None:
    """It stays, empty, and locks nothing by being there."""
    with RunLock(tmp_path):
        assert is_locked(tmp_path)
        with pytest.raises(ZooError, match=f"process {os.getpid()} on"), RunLock(tmp_path):
            pass
    assert not is_locked(tmp_path)
    assert (tmp_path / ".lock").read_bytes() == b""
    with RunLock(tmp_path):
        pass


def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than writing without one."""

    def take(descriptor: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock, "_take", take)
    with pytest.raises(ZooError, match="cannot be locked: No locks available"), RunLock(tmp_path):
        pass


def test_a_full_disk_keeps_nobody_from_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the holder's name is lost."""

    def write_note(held: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(lock, "_write_note", write_note)
    with RunLock(tmp_path), pytest.raises(ZooError, match="written by another process"), RunLock(tmp_path):
        pass
