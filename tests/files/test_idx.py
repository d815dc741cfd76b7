"""Reading IDX files."""

from __future__ import annotations

import gzip
import hashlib
import struct
import tracemalloc

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import zoo


def idx(shape: tuple[int, ...], content: bytes, kind: int = 8) -> bytes:
    return bytes([0, 0, kind, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + content


@given(shape=st.lists(st.integers(0, 5), min_size=1, max_size=4).map(tuple), packed=st.booleans(), data=st.data())
def test_what_was_written_is_read(tmp_path_factory, shape, packed, data):
    """Any shape and content comes back, compressed or not."""
    size = torch.Size(shape).numel()
    content = data.draw(st.binary(min_size=size, max_size=size))
    path = tmp_path_factory.mktemp("idx") / "file"
    path.write_bytes(gzip.compress(idx(shape, content)) if packed else idx(shape, content))

    tensor = zoo.read_idx(path)

    assert tensor.dtype == torch.uint8
    assert tensor.shape == shape
    assert bytes(tensor.flatten().tolist()) == content


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("damaged", "why"),
    [
        (b"", "does not begin"),
        (b"\0\0\x08", "does not begin"),
        (b"\0\1\x08\1\0\0\0\0", "does not begin"),
        (b"\0\0\x08\0", "does not begin"),
        (b"\0\0\x08\2\0\0\0\1\0\0", "cut short"),
        (idx((4,), b"abcd", kind=0x0D), "type 0x0d"),
        (idx((4,), b"abc"), "ends before|3 follow"),
        (idx((4,), b"abcde"), "5 follow"),
        (idx((4,), b"abcdefghi"), "follow"),
        (idx((2**31, 2**31), b""), "more than"),
    ],
)
def test_a_damaged_file_is_refused_with_its_name_and_the_reason(tmp_path, damaged, why, packed):
    """A wrong header or length is one line that names the file, says why, and what to do."""
    path = tmp_path / "digits.idx"
    path.write_bytes(gzip.compress(damaged) if packed else damaged)

    with pytest.raises(zoo.DamagedError, match=why) as caught:
        zoo.read_idx(path, cure="Ask for another.")

    assert str(path) in str(caught.value)
    assert str(caught.value).endswith("Ask for another.")


def test_every_truncation_and_every_flipped_byte_of_a_compressed_file_is_found(tmp_path):
    """The checksum within gzip is reached and obeyed; only bytes of its header that mean nothing may change."""
    whole = gzip.compress(idx((3, 5), bytes(range(15))), mtime=0)
    path = tmp_path / "file.gz"
    expected = list(range(15))
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(zoo.DamagedError):
            zoo.read_idx(path)
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        try:
            found = zoo.read_idx(path).flatten().tolist()
        except zoo.DamagedError:
            continue
        assert found == expected
        assert 4 <= position <= 9


def test_what_follows_the_compressed_content_is_refused(tmp_path):
    """A second stream, or rubbish, after the content is damage."""
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(idx((1,), b"a")) + b"more")
    with pytest.raises(zoo.DamagedError, match="4 bytes follow"):
        zoo.read_idx(path)


def test_a_bomb_is_not_unpacked(tmp_path):
    """A small file that would unpack to more than its header says, or than is allowed, is refused and costs nothing."""
    path = tmp_path / "bomb.gz"
    for shape, limits, why in (((10,), {}, "follow"), ((20_000_000,), {"max_bytes": 1_000_000}, "more than 1,000,000")):
        path.write_bytes(gzip.compress(idx(shape, bytes(20_000_000)), compresslevel=1))
        tracemalloc.start()
        with pytest.raises(zoo.DamagedError, match=why):
            zoo.read_idx(path, **limits)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 2_000_000


def test_the_hash_is_checked_before_the_content(tmp_path):
    """A file with another hash is refused even where it is no IDX file at all."""
    path = tmp_path / "file"
    path.write_bytes(b"anything")
    with pytest.raises(zoo.DamagedError, match="SHA-256"):
        zoo.read_idx(path, sha256="0" * 64)


def test_the_right_hash_and_shape_pass_and_another_shape_does_not(tmp_path):
    """Both expectations are on the file as it is."""
    path = tmp_path / "file"
    path.write_bytes(idx((2, 3), b"abcdef"))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert zoo.read_idx(path, shape=(2, 3), sha256=digest).shape == (2, 3)
    with pytest.raises(zoo.DamagedError, match=r"\(2, 3\), not \(3, 2\)"):
        zoo.read_idx(path, shape=(3, 2))


def test_a_missing_file_is_wrong_usage(tmp_path):
    """Nothing is damaged where nothing is."""
    with pytest.raises(zoo.UsageError, match="No such file"):
        zoo.read_idx(tmp_path / "none")


def test_a_large_file_is_not_read(tmp_path):
    """A file above the limit is refused by its length."""
    path = tmp_path / "file"
    path.write_bytes(idx((2000,), bytes(2000)))
    with pytest.raises(zoo.DamagedError, match="longer than 1,000 bytes"):
        zoo.read_idx(path, max_bytes=1000)
