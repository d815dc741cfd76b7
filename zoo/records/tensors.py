"""Named tensors in a file: the safetensors format, written a tensor at a time and read without trust.

The format is small: eight bytes that hold the header's length, the header in JSON, and the tensors' bytes without gaps.
It is written and read here, rather than with the safetensors package, for three reasons: the package holds a whole file
in memory before it writes it; it maps the files that it reads, and a mapped file that is cut short while it is read
kills the process (SIGBUS); and a checkpoint's digest must be that of the very bytes that were used. The package reads
these files, and these functions read the package's, which tests check.

Source: https://github.com/huggingface/safetensors, section "Format" of its README.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from zoo.errors import DamagedError, UsageError
from zoo.records.disk import DISK, Disk, Written, open_regular, parse_json, write_atomic

MAX_HEADER = 8 * 2**20  # bytes; some 80,000 tensors. The format allows 100 MB, whose objects would take gigabytes.
METADATA = "__metadata__"
"""Under which name a header holds texts rather than a tensor."""

_MAX_DIMENSIONS = 64
_MAX_ELEMENTS = 2**60

# The widest first: in this order they stand in a file, so that each tensor is aligned to its elements.
_DTYPES: dict[str, torch.dtype] = {
    "U64": torch.uint64,
    "I64": torch.int64,
    "F64": torch.float64,
    "C64": torch.complex64,
    "F32": torch.float32,
    "U32": torch.uint32,
    "I32": torch.int32,
    "BF16": torch.bfloat16,
    "F16": torch.float16,
    "U16": torch.uint16,
    "I16": torch.int16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_CODES = {dtype: code for code, dtype in _DTYPES.items()}
_PLACES = {dtype: place for place, dtype in enumerate(_DTYPES.values())}


def write_tensors(path: Path, tensors: Mapping[str, Tensor], disk: Disk = DISK) -> Written:
    """Write *tensors* to a safetensors file, which is replaced whole or not at all.

    Equal tensors under equal names give equal files: they are sorted, and no metadata is written. Tensors may be on any
    device and have any strides; their elements are written in row-major order. Tensors that share memory, such as tied
    weights, are written once for each name.

    Args:
        path: The file; its directory exists.
        tensors: By name, of any shape, of one of the format's element types.
        disk: Where to write.

    Returns:
        What was written.

    Raises:
        UsageError: If something is no tensor, or is one that the format does not know.
        OSError: If the disk is full, or refuses otherwise.
    """
    return write_atomic(path, tensor_chunks(tensors), disk)


def tensor_chunks(
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, str] | None = None,
    whole: Callable[[Tensor], Tensor] | None = None,
) -> Iterator[bytes | memoryview]:
    """Yield the bytes of a safetensors file that holds *tensors*: the header, then each tensor.

    Args:
        tensors: As for `write_tensors`.
        metadata: Texts that the header begins with, sorted by their names; None for none.
        whole: Maps each tensor, one at a time, to the one whose bytes are yielded; None for itself.

    Raises:
        UsageError: As `write_tensors`, before anything is yielded.
    """
    for name, tensor in tensors.items():
        _check_writable(name, tensor)
    ordered = sorted(tensors.items(), key=lambda item: (_PLACES[item[1].dtype], item[0]))
    yield _header(ordered, metadata)
    for _, tensor in ordered:
        if tensor.numel():
            yield _bytes_of(tensor if whole is None else whole(tensor))


def file_size(tensors: Mapping[str, Tensor]) -> int:
    """Return how many bytes `write_tensors` would write, without copying a tensor."""
    return len(_header(list(tensors.items()))) + sum(tensor.nbytes for tensor in tensors.values())


def _check_writable(name: str, tensor: Any) -> None:
    if not isinstance(tensor, Tensor):
        raise UsageError(f"{name!r} is a {type(tensor).__name__}, not a tensor: it cannot be kept in a checkpoint")
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta or tensor.dtype not in _CODES:
        kind = f"{tensor.layout} {tensor.dtype} tensor on {tensor.device}"
        raise UsageError(f"{name!r} is a {kind}: safetensors files, and so checkpoints, cannot hold it")
    if name == METADATA:
        raise UsageError(f"no tensor can be named {METADATA!r}: safetensors files keep that name for themselves")


def _header(ordered: list[tuple[str, Tensor]], metadata: Mapping[str, str] | None = None) -> bytes:
    """Return the file's bytes before the first tensor, padded so that the tensors start at a multiple of eight."""
    entries: dict[str, Any] = {} if metadata is None else {METADATA: dict(sorted(metadata.items()))}
    end = 0
    for name, tensor in ordered:
        begin, end = end, end + tensor.nbytes
        entries[name] = {
            "dtype": _CODES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [begin, end],
        }
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER:
        raise UsageError(
            f"{len(ordered)} tensors are too many for one file: their names and shapes take {len(text)} bytes"
        )
    return len(text).to_bytes(8, "little") + text


def _bytes_of(tensor: Tensor) -> memoryview:
    """Return a tensor's elements in row-major order; copied only if they are elsewhere or have other strides."""
    plain = tensor.detach().resolve_conj().resolve_neg().cpu().contiguous()
    row = plain.as_strided((plain.numel(),), (1,))  # of one element, contiguous() keeps any stride
    return memoryview(row.view(torch.uint8).numpy())  # type: ignore[arg-type]


def read_tensors(path: Path, *, max_bytes: int | None = None, sha256: str | None = None) -> dict[str, Tensor]:
    """Read a safetensors file that anyone may have written.

    The header is bounded and checked as a whole before a tensor is made, and the tensors together take as many bytes
    as the file really has. Nothing is mapped: a file that shrinks while it is read is an error, not a crash.

    Args:
        path: The file.
        max_bytes: Refuse a larger file, unread.
        sha256: Refuse a file with another digest, in lower-case hexadecimal digits; it is taken of the bytes that the
            tensors were made of.

    Returns:
        Tensors on the CPU, contiguous, each with memory of its own, in the order in which they stand in the file.

    Raises:
        DamagedError: If it is missing, no safetensors file, or not the expected one.
    """
    return read_with_metadata(path, max_bytes=max_bytes, sha256=sha256)[0]


def read_with_metadata(
    path: Path, *, max_bytes: int | None = None, sha256: str | None = None
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a safetensors file as `read_tensors` does, and return the metadata of its header as well."""
    with open_regular(path, max_bytes) as (file, size):
        source = _Source(file, str(path), size)
        entries, metadata = _read_header(source)
        found = {entry.name: source.tensor(entry) for entry in entries}
    if sha256 is not None and source.digest.hexdigest() != sha256:
        raise DamagedError(f"{path} is damaged: its bytes are not those that were written (SHA-256)")
    return found, metadata


@dataclass(frozen=True)
class _Entry:
    """One tensor of a header that was checked: *end* - *begin* bytes of *dtype* elements in *shape*."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    begin: int
    end: int


class _Source:
    """A file that is read once from the front, and digested on the way."""

    def __init__(self, file: BinaryIO, where: str, size: int) -> None:
        self.file, self.where, self.size = file, where, size
        self.digest = hashlib.sha256()

    def damaged(self, why: str) -> DamagedError:
        return DamagedError(f"{self.where} is damaged: {why}")

    def fill(self, target: memoryview) -> memoryview:
        done = 0
        while done < len(target):
            count = self.file.readinto(target[done:])  # type: ignore[attr-defined]
            if not count:
                raise self.damaged("it ends too early")
            done += count
        self.digest.update(target)
        return target

    def bytes(self, count: int) -> bytes:
        return bytes(self.fill(memoryview(bytearray(count))))

    def tensor(self, entry: _Entry) -> Tensor:
        raw = torch.empty(entry.end - entry.begin, dtype=torch.uint8)
        self.fill(memoryview(raw.numpy()))  # type: ignore[arg-type]
        return raw.view(entry.dtype).reshape(entry.shape)


def _read_header(source: _Source) -> tuple[list[_Entry], dict[str, Any]]:
    """Read the header, check all of it, and return its tensors, which are the rest of the file, and its metadata."""
    if source.size < 8:
        raise source.damaged(f"it has {source.size} bytes")
    length = int.from_bytes(source.bytes(8), "little")
    if length > min(MAX_HEADER, source.size - 8):
        raise source.damaged(
            f"its header claims {length} bytes, of a file of {source.size}, where {MAX_HEADER} are the limit"
        )
    header = parse_json(source.bytes(length), f"the header of {source.where}")
    if not isinstance(header, dict):
        raise source.damaged("its header is no table")
    metadata = header.pop(METADATA, None)
    entries = sorted((_entry(source, *item) for item in header.items()), key=lambda entry: (entry.begin, entry.end))
    end = 0
    for entry in entries:
        if entry.begin != end:
            raise source.damaged(
                f"tensor {entry.name!r} starts at byte {entry.begin}, not at {end}, where the one before ends"
            )
        end = entry.end
    if end != source.size - 8 - length:
        raise source.damaged(f"its tensors take {end} bytes, but {source.size - 8 - length} follow the header")
    return entries, metadata if isinstance(metadata, dict) else {}


def _entry(source: _Source, name: str, fields: Any) -> _Entry:
    if not isinstance(fields, dict) or fields.keys() != {"dtype", "shape", "data_offsets"}:
        raise source.damaged(f"tensor {name!r} is not described by dtype, shape and data_offsets")
    dtype = _DTYPES.get(fields["dtype"]) if isinstance(fields["dtype"], str) else None
    if dtype is None:
        raise source.damaged(f"tensor {name!r} has the unknown type {str(fields['dtype'])[:40]!r}")
    shape, offsets = fields["shape"], fields["data_offsets"]
    if not _are_sizes(shape) or len(shape) > _MAX_DIMENSIONS or math.prod(filter(None, shape)) > _MAX_ELEMENTS:
        raise source.damaged(f"tensor {name!r} has an impossible shape")
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[1] - offsets[0] != math.prod(shape) * dtype.itemsize:
        raise source.damaged(f"tensor {name!r} has other bytes than its shape needs")
    return _Entry(name, dtype, tuple(shape), *offsets)


def _are_sizes(values: Any) -> bool:
    """Tell whether *values* is a list of whole numbers from 0 to 2**60; a bool is none."""
    return isinstance(values, list) and all(type(value) is int and 0 <= value <= _MAX_ELEMENTS for value in values)
