"""Small files are replaced whole, JSON has one form, and the disk is really asked to sync."""

from __future__ import annotations

import math
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from faulty_disk import FaultyDisk, LosingDisk, PowerCut, RecordingDisk, fill_up
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import DamagedError, UsageError
from zoo.records.disk import (
    Disk,
    canonical_json,
    directory_when_whole,
    parse_json,
    read_bytes,
    refuse_existing,
    write_atomic,
    write_synced,
)

plain_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize("keep_names", [True, False])
def test_a_file_is_old_or_new_after_a_power_cut_at_any_point(tmp_path: Path, keep_names: bool) -> None:
    """Never empty, never half; and new once the write has returned."""
    contents = []
    for point in range(1, 16):
        path = tmp_path / f"{point}" / "metrics.csv"
        path.parent.mkdir()
        path.write_text("old")
        disk, returned = LosingDisk(point, keep_names=keep_names), False
        try:
            write_atomic(path, "new", disk)
            returned = True
        except PowerCut:
            pass
        disk.lose(path.parent)
        contents.append(path.read_text())
        assert contents[-1] == "new" or not returned
    assert set(contents) == {"old", "new"}


def test_a_full_disk_keeps_the_old_content(tmp_path: Path) -> None:
    """And leaves no temporary file behind."""
    path = tmp_path / "summary.json"
    path.write_text("old")
    for point in range(1, 8):
        with pytest.raises(OSError, match="No space left"):
            write_atomic(path, "new", FaultyDisk(point, fill_up))
        assert [child.name for child in tmp_path.iterdir()] == ["summary.json"]
        assert path.read_text() == "old"
    write_atomic(path, "new")
    assert path.read_text() == "new"


def test_what_a_dead_writer_left_is_overwritten(tmp_path: Path) -> None:
    """The temporary file has a fixed name, so that leftovers do not pile up."""
    path = tmp_path / "summary.json"
    (tmp_path / ".summary.json.tmp").write_text("half of something long")
    write_atomic(path, "new")
    assert [child.name for child in tmp_path.iterdir()] == ["summary.json"]
    assert path.read_text() == "new"


def test_a_file_is_synced_before_it_gets_its_name(tmp_path: Path) -> None:
    """And its directory after."""
    disk = RecordingDisk()
    write_atomic(tmp_path / "a", b"x", disk)
    assert [operation for operation, _ in disk.operations] == ["open", "write", "sync", "rename", "sync_directory"]


def test_the_real_disk_syncs_files_and_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system is asked for the very file, with all that was written in it, and for the very directory."""
    synced = []

    def fsync(descriptor: int) -> None:
        status = os.fstat(descriptor)
        synced.append((status.st_ino, status.st_size))

    monkeypatch.setattr("zoo.records.disk.F_FULLFSYNC", None)
    monkeypatch.setattr(os, "fsync", fsync)
    write_synced(tmp_path / "a", [b"x" * 1000, b"y" * 1000])
    Disk().sync_directory(tmp_path)
    assert synced[0] == ((tmp_path / "a").stat().st_ino, 2000)
    assert synced[1][0] == tmp_path.stat().st_ino


@settings(max_examples=50)
@given(plain_json)
def test_json_comes_back_as_it_was(value: Any) -> None:
    """To the type and the last bit of a number, and as the same text again."""
    text = canonical_json(value)
    found = parse_json(text, "text")
    assert found == value
    assert canonical_json(found) == text
    assert text.isascii()
    assert text.count(b"\n") == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_not_written(value: float) -> None:
    """JSON has none."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"loss": value})


@pytest.mark.parametrize(
    "text", [b"", b"{", b"NaN", b"[Infinity]", b'{"a":1,"a":2}', b"\xff", b"[" * 10**5, b"9" * 5000]
)
def test_bad_json_is_damage(text: bytes) -> None:
    """One line, which says where."""
    with pytest.raises(DamagedError, match=r"^state\.json is damaged: not valid JSON") as caught:
        parse_json(text, "state.json")
    assert len(str(caught.value).splitlines()) == 1


def test_a_file_larger_than_expected_is_not_read(tmp_path: Path) -> None:
    """A stranger's small file may be large."""
    (tmp_path / "a").write_bytes(b"12345")
    assert read_bytes(tmp_path / "a", 5) == b"12345"
    with pytest.raises(DamagedError, match="has 5 bytes, more than the 4 allowed"):
        read_bytes(tmp_path / "a", 4)


def test_two_that_make_one_directory_at_once_leave_one_another_alone(tmp_path: Path):
    """The first to be done has the name; the other is told, and nothing unfinished is left of either."""
    target = tmp_path / "new" / "both"
    with directory_when_whole(target, "give another") as second:
        with directory_when_whole(target, "give another") as first:
            assert first != second
            (first / "first").touch()
        (second / "second").touch()
        with pytest.raises(UsageError, match="both' exists; nothing is written over, give another"):
            refuse_existing(target, "give another")
        target.rename(tmp_path / "kept")
    assert (target / "second").exists()
    assert (tmp_path / "kept" / "first").exists()
    assert list(target.parent.iterdir()) == [target]


def test_a_new_directory_may_be_read_by_whom_the_umask_lets(tmp_path: Path):
    """As one that mkdir made, not as a temporary one, which is its owner's alone."""
    umask = os.umask(0o027)
    try:
        with directory_when_whole(tmp_path / "shared", "give another") as part:
            (part / "file").touch()
    finally:
        os.umask(umask)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "shared", tmp_path / "shared" / "file")] == [
        0o750,
        0o640,
    ]


def test_a_directory_that_cannot_be_whole_is_not_there(tmp_path: Path):
    """Its maker failed, its name was taken meanwhile, or what is above it is a file."""

    def make(where: str, *, fails: bool = False) -> None:
        with directory_when_whole(tmp_path / where, "give another"):
            (tmp_path / "file").touch()
            if fails:
                raise RuntimeError

    with pytest.raises(RuntimeError):
        make("failed", fails=True)
    with pytest.raises(UsageError, match="file' exists; nothing is written over"):
        make("file")
    with pytest.raises(UsageError, match=r"cannot make '.*run': .*; give another"):
        make("file/run")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
