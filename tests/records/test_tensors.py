"""Tensor files: the safetensors format to the byte, any tensor and back to the bit, and no trust in what is read."""

from __future__ import annotations

import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from zoo.errors import DamagedError, UsageError
from zoo.records.tensors import MAX_HEADER, file_size, read_tensors, tensor_chunks, write_tensors

DTYPES = [
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.float8_e4m3fn,
    torch.float8_e5m2,
    torch.complex64,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint64,
    torch.uint32,
    torch.uint16,
    torch.uint8,
    torch.bool,
]


def bits(tensor: Tensor) -> bytes:
    """Return a tensor's elements in row-major order, as bytes."""
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def assert_equal_bits(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert (found[name].dtype, found[name].shape) == (tensor.dtype, tensor.shape)
        assert bits(found[name]) == bits(tensor), name


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_element_type_comes_back_to_the_bit(tmp_path: Path, dtype: torch.dtype) -> None:
    """Scalars and empty tensors, too; what is not a bool has nan, infinity and every other pattern of bits."""
    raw = torch.arange(240, dtype=torch.uint8)
    several = raw.remainder(2).view(dtype) if dtype is torch.bool else raw.view(dtype)
    tensors = {"several": several, "one": several[0], "none": several[:0].reshape(0, 3)}
    write_tensors(tmp_path / "t", tensors)
    assert_equal_bits(read_tensors(tmp_path / "t"), tensors)
    assert_equal_bits(safetensors.torch.load_file(tmp_path / "t"), tensors)


def test_the_file_is_the_safetensors_package_s_to_the_byte(tmp_path: Path) -> None:
    """Same order, same header, same padding; odd names are escaped alike."""
    tensors = {
        "b": torch.arange(3.0),
        "a": torch.arange(4),
        'naïve "name"\n': torch.ones(2, 0),
        "flag": torch.tensor(True),
        "half": torch.ones(2, 2, dtype=torch.bfloat16),
    }
    write_tensors(tmp_path / "t", tensors)
    data = (tmp_path / "t").read_bytes()
    assert data == safetensors.torch.save(tensors)
    assert len(data) == file_size(tensors)
    backwards = dict(reversed(tensors.items()))
    assert b"".join(tensor_chunks(backwards)) == data


def test_tensors_of_any_layout_are_kept(tmp_path: Path) -> None:
    """channels_last, transposed, expanded, conjugated and tied tensors are stored as what they show."""
    weight = torch.arange(120.0).reshape(2, 3, 4, 5)
    tensors = {
        "channels_last": weight.to(memory_format=torch.channels_last),
        "transposed": weight[0, 0].t(),
        "every_other": weight[0, 0, :, ::2],
        "expanded": torch.tensor([1.0]).expand(4, 3),
        "conjugated": torch.tensor([1 + 2j], dtype=torch.complex64).conj(),
        "tied": weight,
        "tied_too": weight,
        "parameter": torch.nn.Parameter(weight),
    }
    write_tensors(tmp_path / "t", tensors)
    found = read_tensors(tmp_path / "t")
    for name, tensor in tensors.items():
        assert torch.equal(found[name], tensor), name
        assert found[name].is_contiguous()
        assert not found[name].requires_grad


def test_tensors_that_are_read_share_no_memory(tmp_path: Path) -> None:
    """Writing into one changes neither another nor the file."""
    weight = torch.ones(3)
    write_tensors(tmp_path / "t", {"a": weight, "b": weight})
    found = read_tensors(tmp_path / "t")
    found["a"].zero_()
    assert found["b"].tolist() == [1, 1, 1]
    assert read_tensors(tmp_path / "t")["a"].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, r"'x' is a int, not a tensor"),
        (torch.ones(2).to_sparse(), r"'x' is a torch.sparse_coo .* cannot hold it"),
        (torch.ones(2, dtype=torch.complex128), r"complex128 .* cannot hold it"),
        (torch.empty(2, device="meta"), r"on meta: .* cannot hold it"),
    ],
)
def test_what_the_format_cannot_hold_is_refused(tmp_path: Path, value: Any, message: str) -> None:
    """By name, with nothing written."""
    with pytest.raises(UsageError, match=message):
        write_tensors(tmp_path / "t", {"x": value})
    assert list(tmp_path.iterdir()) == []


def test_the_package_s_metadata_is_read_over(tmp_path: Path) -> None:
    """A file that another program wrote may have some."""
    safetensors.torch.save_file({"a": torch.ones(2)}, tmp_path / "t", metadata={"format": "pt"})
    assert_equal_bits(read_tensors(tmp_path / "t"), {"a": torch.ones(2)})
    with pytest.raises(UsageError, match="__metadata__"):
        write_tensors(tmp_path / "t", {"__metadata__": torch.ones(2)})


def file_of(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    """Return the bytes of a file with any header: text, or what is JSON of it."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def entry(dtype: Any = "F32", shape: Any = (2,), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


EIGHT = bytes(8)
BAD_FILES = {
    "empty": b"",
    "seven bytes": bytes(7),
    "no header": bytes(8),
    "header beyond the end": file_of({}, length=3),
    "header of exabytes": file_of({}, length=2**63),
    "largest header length": b"\xff" * 8,
    "header over the limit": (MAX_HEADER + 1).to_bytes(8, "little") + b" " * (MAX_HEADER + 1),
    "no JSON": file_of(b"pickle?"),
    "no UTF-8": file_of(b'{"\xff": 1}'),
    "a list": file_of([]),
    "deeply nested": file_of(b"[" * 100_000),
    "a key twice": file_of(b'{"a":%s,"a":%s}' % ((json.dumps(entry()).encode(),) * 2), EIGHT),
    "a field twice": file_of(b'{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}', EIGHT),
    "a number with a million digits": file_of(
        b'{"a":{"dtype":"F32","shape":[' + b"9" * 10**6 + b'],"data_offsets":[0,8]}}'
    ),
    "no entry": file_of({"a": 1}, EIGHT),
    "a field missing": file_of({"a": {"dtype": "F32", "shape": [2]}}, EIGHT),
    "a field too many": file_of({"a": {**entry(), "more": 1}}, EIGHT),
    "an unknown type": file_of({"a": entry("F31")}, EIGHT),
    "a type that is a list": file_of({"a": entry(["F32"])}, EIGHT),
    "a negative length": file_of({"a": entry(shape=(-2,))}, EIGHT),
    "a fraction": file_of({"a": entry(shape=(2.0,))}, EIGHT),
    "a bool": file_of({"a": entry(shape=(2, True))}, EIGHT),
    "not a number": file_of(b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,8]}}', EIGHT),
    "a shape bomb": file_of({"a": entry(shape=(2**40, 2**40), offsets=(0, 8))}, EIGHT),
    "a shape bomb behind a zero": file_of({"a": entry(shape=(0, 2**59, 2**59), offsets=(0, 0))}),
    "a shape that overflows to the right size": file_of({"a": entry(shape=(2**62 + 2,), offsets=(0, 8))}, EIGHT),
    "a thousand dimensions": file_of({"a": entry(shape=[1] * 1000, offsets=(0, 4))}, bytes(4)),
    "a million dimensions": file_of({"a": entry(shape=[2**50] * 10**6, offsets=(0, 4))}, bytes(4)),
    "too few bytes for its shape": file_of({"a": entry(offsets=(0, 4))}, bytes(4)),
    "offsets backwards": file_of({"a": entry(offsets=(8, 0))}, EIGHT),
    "three offsets": file_of({"a": entry(offsets=(0, 8, 8))}, EIGHT),
    "negative offsets": file_of({"a": entry(offsets=(-8, 0))}, EIGHT),
    "offsets beyond the end": file_of({"a": entry(shape=(2**40,), offsets=(0, 2**42))}, EIGHT),
    "overlapping tensors": file_of({"a": entry(), "b": entry(offsets=(4, 12))}, bytes(12)),
    "the same bytes twice": file_of({"a": entry(), "b": entry()}, EIGHT),
    "a gap": file_of({"a": entry(), "b": entry(offsets=(9, 17))}, bytes(17)),
    "a gap at the start": file_of({"a": entry(offsets=(8, 16))}, bytes(16)),
    "trailing bytes": file_of({"a": entry()}, bytes(9)),
    "bytes of no tensor": file_of({}, b"x"),
}


@pytest.mark.parametrize("data", BAD_FILES.values(), ids=BAD_FILES)
def test_a_stranger_s_file_is_refused_without_a_memory_spike(tmp_path: Path, data: bytes) -> None:
    """Whatever the header claims, memory stays in proportion to the file, and the message names the file."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(DamagedError, match=r"model\.safetensors") as caught:
            read_tensors(path)
        assert tracemalloc.get_traced_memory()[1] < 20 * len(data) + 2**20
    finally:
        tracemalloc.stop()
    assert caught.value.exit_code == 4
    assert len(str(caught.value).splitlines()) == 1


@settings(max_examples=80)
@given(st.binary(max_size=200), st.integers(0, 300))
def test_random_bytes_are_refused_or_read_in_full(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes, at: int
) -> None:
    """No junk in a header or behind it leads to anything but a refusal or tensors of the file's own bytes."""
    whole = b"".join(tensor_chunks({"a": torch.arange(4.0), "b": torch.ones(2, 3, dtype=torch.int16)}))
    path = tmp_path_factory.getbasetemp() / "junk.safetensors"
    path.write_bytes(whole[:at] + junk + whole[at + len(junk) :])
    try:
        found = read_tensors(path)
    except DamagedError:
        return
    assert sum(tensor.nbytes for tensor in found.values()) <= path.stat().st_size


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A missing file, a directory, and a pipe, for whose writer nobody waits."""
    with pytest.raises(DamagedError, match="is missing"):
        read_tensors(tmp_path / "none")
    with pytest.raises(DamagedError, match=r"cannot be read|is not a file"):
        read_tensors(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(DamagedError, match="is not a file"):
            read_tensors(tmp_path / "pipe")


def test_a_larger_or_another_file_than_expected_is_refused(tmp_path: Path) -> None:
    """By its size, unread; or by its digest, taken of what was read."""
    written = write_tensors(tmp_path / "t", {"a": torch.ones(4)})
    assert read_tensors(tmp_path / "t", max_bytes=written.size, sha256=written.sha256)
    with pytest.raises(DamagedError, match=f"has {written.size} bytes, more than the {written.size - 1} allowed"):
        read_tensors(tmp_path / "t", max_bytes=written.size - 1)
    with pytest.raises(DamagedError, match="SHA-256"):
        read_tensors(tmp_path / "t", sha256="0" * 64)


def test_too_many_tensors_for_one_header_are_refused(tmp_path: Path) -> None:
    """What could not be read again is not written."""
    tensor = torch.ones(1)
    with pytest.raises(UsageError, match="too many for one file"):
        write_tensors(tmp_path / "t", {f"{'x' * 100}{i}": tensor for i in range(60_000)})


def test_one_element_is_written_whatever_its_stride(tmp_path: Path):
    """It counts as contiguous, and yet torch gives no view of its bytes."""
    write_tensors(tmp_path / "one", {"one": torch.tensor([[7, 8]])[:, 0]})
    assert read_tensors(tmp_path / "one")["one"].tolist() == [7]
