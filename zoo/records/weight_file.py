"""One file with weights and all that is to be known of them, which tells its own damage.

A safetensors file whose header begins with its digest, at a place that is the same in all: the SHA-256 of the whole
file with 64 zeros in the digest's place. So any byte that was changed is found before anything of the file is parsed.
Equal weights and records give equal files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from zoo.errors import DamagedError, UsageError
from zoo.records.disk import Written, canonical_json, open_regular, parse_json, write_synced
from zoo.records.tensors import METADATA, read_with_metadata, tensor_chunks

_LENGTH = 8  # bytes that hold the length of the header
_BEFORE = f'{{"{METADATA}":{{"digest":"'.encode()
_ZEROS = b"0" * 64
_START = _LENGTH + len(_BEFORE)
_END = _START + len(_ZEROS)
_PIECE = 2**20


class WeightFile(NamedTuple):
    """What a published file holds.

    Attributes:
        tensors: By name, on the CPU.
        record: What was published with them, not yet looked at.
        sha256: Of the file.
    """

    tensors: dict[str, Tensor]
    record: Any
    sha256: str


def write_weight_file(path: Path, tensors: Mapping[str, Tensor], record: Mapping[str, Any]) -> Written:
    """Write *tensors* and *record*, plain data as JSON has it, to a new file.

    Raises:
        UsageError: If a tensor cannot be kept.
        OSError: If the disk is full, or refuses otherwise.
    """
    # transformers wants to be told that the tensors are torch's.
    metadata = {"digest": _ZEROS.decode(), "format": "pt", "zoo": canonical_json(record).decode().rstrip("\n")}
    digest = hashlib.sha256()
    for chunk in tensor_chunks(tensors, metadata):
        digest.update(chunk)
    return write_synced(path, tensor_chunks(tensors, {**metadata, "digest": digest.hexdigest()}))


def is_weight_file(path: Path) -> bool:
    """Tell whether a file begins as those that `write_weight_file` wrote."""
    with open_regular(path) as (file, _):
        return file.read(_START)[_LENGTH:] == _BEFORE


def read_weight_file(path: Path) -> WeightFile:
    """Read what `write_weight_file` wrote.

    Raises:
        UsageError: If it is another safetensors file, which says nothing of its model.
        DamagedError: If a byte of it was changed.
    """
    sha256 = _verified(path)
    tensors, metadata = read_with_metadata(path, sha256=sha256)
    return WeightFile(tensors, parse_json(str(metadata.get("zoo")).encode(), f"the record in {path}"), sha256)


def _verified(path: Path) -> str:
    """Return the SHA-256 of the file's bytes, which are those that were written."""
    found, stated = hashlib.sha256(), hashlib.sha256()
    with open_regular(path) as (file, _):
        head = file.read(_END)
        if head[_LENGTH:_START] != _BEFORE or len(head) < _END:
            raise UsageError(
                f"{str(path)!r} was not published by zoo, or is damaged: nothing in it tells which model its weights "
                "are of. To begin a training with it: --set model.pretrained=FILE"
            )
        found.update(head)
        stated.update(head[:_START] + _ZEROS)
        while piece := file.read(_PIECE):
            found.update(piece)
            stated.update(piece)
    if stated.hexdigest().encode() != head[_START:_END]:
        raise DamagedError(f"{path} is damaged: its bytes are not those that were published (SHA-256)")
    return found.hexdigest()
