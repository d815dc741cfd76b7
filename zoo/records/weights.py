"""Weights from files that others made: safetensors, and torch's pickles where their SHA-256 is known."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from zoo.errors import DamagedError, UsageError
from zoo.files.downloads import open_file
from zoo.records.tensors import read_tensors

SAFE = ".safetensors"
PICKLED = (".pth", ".pt", ".bin", ".ckpt")
"""How the names of weights' files end."""

_WRAPPERS = ("state_dict", "model", "model_state_dict")


class Weights(NamedTuple):
    """What a file with weights holds.

    Attributes:
        tensors: By name, on the CPU.
        sha256: Of the file, 64 hexadecimal digits in lower case.
    """

    tensors: dict[str, Tensor]
    sha256: str


def read_weights(path: str | Path, *, sha256: str = "") -> Weights:
    """Read the tensors of a weights file: safetensors, or one of torch's pickles, which is not read without its hash.

    A pickle is compared with the hash before anything in it is looked at, and then read by torch's unpickler for
    weights alone, from the very bytes that were compared.

    Args:
        path: A ``.safetensors`` file, or a ``.pth``, ``.pt``, ``.bin`` or ``.ckpt`` with a state dict, alone or under
            ``state_dict``, ``model`` or ``model_state_dict``.
        sha256: The SHA-256 that the file must have, 64 hexadecimal digits; a safetensors file may be read without.

    Returns:
        The tensors, in the order in which they stand in the file, and the file's SHA-256.

    Raises:
        UsageError: If there is no such file, it is of another kind, or a pickle's hash is not given.
        DamagedError: If the file has another hash, or holds something else than tensors.
    """
    path, wanted = Path(path), sha256.lower()
    if wanted and (len(wanted) != 64 or set(wanted) - set("0123456789abcdef")):
        raise UsageError(f"a SHA-256 has 64 hexadecimal digits, and {sha256!r} has not")
    if path.suffix == SAFE:
        with open_file(path) as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        refuse_other(path, found, wanted)
        return Weights(read_tensors(path, sha256=found), found)
    if path.suffix not in PICKLED:
        raise UsageError(f"{str(path)!r} is no file with weights: its name must end in {SAFE} or {', '.join(PICKLED)}")
    if not wanted:
        raise UsageError(
            f"{str(path)!r} is a pickle, which could hold more than tensors: it is read only where its publisher's "
            "SHA-256 is given (in a run: --set model.sha256=...). A .safetensors file needs none"
        )
    with open_file(path) as file:
        data = file.read()
    found = hashlib.sha256(data).hexdigest()
    refuse_other(path, found, wanted)
    return Weights(_unpickled(path, data), found)


def refuse_other(path: Path, found: str, wanted: str) -> None:
    """See that a file has the SHA-256 that was asked for; an empty one asks for none.

    Raises:
        DamagedError: If it has another.
    """
    if wanted and found != wanted:
        raise DamagedError(f"{str(path)!r} has the SHA-256 {found}, not {wanted}: it is damaged, or another file")


def _unpickled(path: Path, data: bytes) -> dict[str, Tensor]:
    try:
        content: Any = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:
        reason = " ".join(str(error).split())[:120]
        raise DamagedError(f"{str(path)!r} holds something else than tensors: {reason}") from error
    for key in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise DamagedError(f"{str(path)!r} holds no state dict: names, and a tensor for each")
    return {str(name): tensor for name, tensor in content.items()}
