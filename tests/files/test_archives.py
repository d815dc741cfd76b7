"""Unpacking archives from strangers."""

from __future__ import annotations

import bz2
import gzip
import io
import struct
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest

import zoo

LIMITS = {"max_bytes": 1_000_000, "max_members": 20}
FILES = {"set/readme.txt": b"hello", "set/data/one.bin": bytes(range(256)) * 10, "set/empty": b""}


def tar(files: dict[str, bytes] = FILES, members: list[tarfile.TarInfo] = (), kind: int = tarfile.GNU_FORMAT) -> bytes:
    """Return a tar archive of files, followed by members without content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=kind) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for info in members:
            archive.addfile(info)
    return buffer.getvalue()


def zipped(files: dict[str, bytes] = FILES, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


PACKERS = {
    "tar": tar,
    "tar.gz": lambda *a, **k: gzip.compress(tar(*a, **k)),
    "tar.bz2": lambda *a, **k: bz2.compress(tar(*a, **k)),
    "zip": zipped,
}
each_kind = pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def member(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "archive"
    path.write_bytes(content)
    return path


def refused(tmp_path: Path, content: bytes, why: str, **limits) -> None:
    """Check that unpacking fails with the archive's name and the reason, and leaves nothing anywhere."""
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    path = written(home, content)
    with pytest.raises(zoo.DamagedError, match=why) as caught:
        zoo.unpack(path, home / "out", **{**LIMITS, **limits})
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert names(home) == ["archive"]
    assert names(tmp_path) == ["home"]


@each_kind
def test_files_and_folders_are_unpacked(tmp_path, pack):
    """All files come out as they went in, below a folder that did not exist."""
    folder = zoo.unpack(written(tmp_path, pack()), tmp_path / "deep" / "out", **LIMITS)
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert found == FILES
    assert names(tmp_path / "deep") == ["out"]


def test_the_modes_in_the_archive_do_not_count(tmp_path):
    """A set-user-id program comes out as a plain file."""
    info = member("program", tarfile.REGTYPE)
    info.mode = 0o6777
    folder = zoo.unpack(written(tmp_path, tar({}, [info])), tmp_path / "out", **LIMITS)
    assert (folder / "program").stat().st_mode & 0o7111 == 0


@each_kind
@pytest.mark.parametrize(
    "name", ["../evil", "a/../../evil", "/evil", "//evil", "..", "a\\..\\evil", "C:evil", "C:\\evil", "./../evil"]
)
def test_names_that_lead_outside_are_refused(tmp_path, pack, name):
    """Traversal, absolute names, drives and backslashes, whatever the system."""
    refused(tmp_path, pack({"good": b"x", name: b"evil"}), "leads outside")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    """Only files and folders are unpacked, so that nothing can be written through a link."""
    refused(tmp_path, tar({"good": b"x"}, [member("link", kind, "/etc")]), "neither a file nor a folder")


def test_a_link_in_a_zip_is_refused(tmp_path):
    """A symbolic link, as Unix's zip stores it."""
    buffer = io.BytesIO(zipped())
    with zipfile.ZipFile(buffer, "a") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc")
    refused(tmp_path, buffer.getvalue(), "neither a file nor a folder")


@each_kind
def test_one_byte_too_many_is_refused(tmp_path, pack):
    """The limit is exact: as many bytes as are allowed pass, one more does not."""
    content = pack({"a": bytes(500), "b": bytes(500)})
    refused(tmp_path, content, "more bytes than are allowed", max_bytes=999)
    zoo.unpack(tmp_path / "home" / "archive", tmp_path / "out", **{**LIMITS, "max_bytes": 1000})


@each_kind
def test_one_member_too_many_is_refused(tmp_path, pack):
    """Empty files count, too."""
    refused(tmp_path, pack({f"file{i}": b"" for i in range(21)}), "more than 20 files")


def test_a_zip_that_lies_about_its_size_is_found_while_it_unpacks(tmp_path):
    """Headers that say 10 bytes do not get 5 MB past the limit."""
    content = zipped({"bomb": bytes(5_000_000)})
    real, lie = struct.pack("<I", 5_000_000), struct.pack("<I", 10)
    assert content.count(real) == 2
    refused(tmp_path, content.replace(real, lie), "more bytes|CRC|damaged")


def test_a_zip_whose_members_begin_nowhere_is_damaged(tmp_path):
    """An offset in the directory that leads before the file's first byte is no fault of the disk."""
    content = bytearray(zipped({"a": b"content"}, zipfile.ZIP_STORED))
    end = content.index(b"PK\5\6")
    content[end + 16 : end + 20] = struct.pack("<I", struct.unpack_from("<I", content, end + 16)[0] + 40)
    refused(tmp_path, bytes(content), "damaged")


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
def test_a_bomb_in_tars_own_headers_is_refused(tmp_path, compress):
    """A long name of 100 MB, which tarfile would read into memory, costs nothing."""
    header = member("x", tarfile.GNUTYPE_LONGNAME)
    header.size = 100_000_000
    content = compress(header.tobuf(tarfile.GNU_FORMAT) + bytes(10_000_000))
    tracemalloc.start()
    refused(tmp_path, content, "absurdly long header")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000


def test_a_member_that_claims_more_than_there_is_is_refused(tmp_path):
    """Neither a huge size nor a slightly wrong one passes."""
    for size in (10**11, 2000):
        info = member("a", tarfile.REGTYPE)
        info.size = size
        refused(tmp_path, info.tobuf() + bytes(1024), "more bytes|damaged")


def test_one_name_twice_is_refused(tmp_path):
    """A second file of the same name does not replace the first; nor a file a folder."""
    twice = [("a", b"1"), ("a", b"2")]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in twice:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    refused(tmp_path, buffer.getvalue(), "twice")
    refused(tmp_path, tar({"a": b"", "a/b": b""}), "as a file and as a folder")


@each_kind
def test_every_truncation_is_found(tmp_path, pack):
    """An archive that is cut short unpacks to nothing."""
    content = pack()
    for length in range(0, len(content) - 1, max(1, len(content) // 60)):
        if content[:length].rstrip(b"\0") == content.rstrip(b"\0"):
            continue  # only zeros after the end of a tar were cut
        refused(tmp_path, content[:length], "damaged")


@each_kind
def test_a_flipped_byte_is_an_error_or_leaves_whole_files(tmp_path, pack):
    """Whatever decoders raise comes out as DamagedError; no file is changed where the format has checksums."""
    content = pack()
    for position in range(0, len(content), max(1, len(content) // 50)):
        flipped = bytearray(content)
        flipped[position] ^= 0x41
        path = written(tmp_path, bytes(flipped))
        folder = tmp_path / f"out{position}"
        try:
            zoo.unpack(path, folder, **LIMITS)
        except zoo.DamagedError:
            assert not folder.exists()
            continue
        found = [file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()]
        assert pack is tar or set(found) <= set(FILES.values())


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK", b"PK\3\4rubbish", b"\x1f\x8brubbish", b"BZh9rubbish"])
def test_what_is_no_archive_is_damaged(tmp_path, content):
    """Empty files, text and headers without a body are one line."""
    refused(tmp_path, content, "damaged")


def test_a_zip_under_a_password_is_refused(tmp_path):
    """Encrypted members cannot be read."""
    content = bytearray(zipped({"a": b"secret"}, zipfile.ZIP_STORED))
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(signature) + offset] |= 1
    refused(tmp_path, bytes(content), "damaged")


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    """Nothing is mixed with, or written over, what is there; an empty folder is fine."""
    folder = tmp_path / "out"
    folder.mkdir()
    archive = written(tmp_path, tar())
    zoo.unpack(archive, folder, **LIMITS)
    before = sorted(folder.rglob("*"))
    with pytest.raises(zoo.UsageError, match="exists already"):
        zoo.unpack(archive, folder, **LIMITS)
    assert sorted(folder.rglob("*")) == before


def test_a_missing_archive_is_wrong_usage(tmp_path):
    """Exit code 2, and no folder is made."""
    with pytest.raises(zoo.UsageError, match="No such file"):
        zoo.unpack(tmp_path / "none", tmp_path / "out", **LIMITS)
    assert not names(tmp_path)
