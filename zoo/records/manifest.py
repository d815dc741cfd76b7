"""The manifest of a checkpoint: what each of its files must be, and a digest of itself."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import DamagedError, UsageError
from zoo.records.disk import Written, canonical_json, parse_json, read_bytes

FORMAT = 1
MANIFEST = "MANIFEST.json"
STATE = "state.json"

_MAX_BYTES = 2**20
_FILE = re.compile(r"[a-z][a-z0-9_]{0,63}\.safetensors|state\.json")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class NewerFormatError(UsageError):
    """A checkpoint was written by a newer zoo, in a format that this one does not know."""


@dataclass(frozen=True)
class Manifest:
    """What a checkpoint was when it was written.

    Attributes:
        step: The number of optimizer steps that it comes after.
        files: Size and SHA-256 of each of its files, by name.
    """

    step: int
    files: Mapping[str, Written]

    @property
    def digest(self) -> str:
        """The SHA-256 of all this, in hexadecimal digits: checkpoints of equal content have equal ones."""
        return hashlib.sha256(canonical_json(self._body())).hexdigest()

    def to_bytes(self) -> bytes:
        """Return the text of the file."""
        return canonical_json({**self._body(), "digest": self.digest})

    def _body(self) -> dict[str, Any]:
        files = {name: {"bytes": file.size, "sha256": file.sha256} for name, file in self.files.items()}
        return {"format": FORMAT, "step": self.step, "files": files}


def is_file_name(name: str) -> bool:
    """Tell whether a checkpoint may have a file of this name: none leads out of its directory."""
    return _FILE.fullmatch(name) is not None


def read_manifest(path: Path) -> Manifest:
    """Read a manifest, which may be damaged, or a stranger's.

    Its digest is right, and it is in its one canonical form: whatever is wrong with it, it was written so.

    Raises:
        DamagedError: If it is missing or damaged.
        NewerFormatError: If a newer zoo wrote it.
    """
    data = read_bytes(path, _MAX_BYTES)
    fields = parse_json(data, str(path))
    if not isinstance(fields, dict) or canonical_json(fields) != data:
        raise DamagedError(f"{path} is damaged: it is not in the form in which it was written")
    digest = fields.pop("digest", None)
    if digest != hashlib.sha256(canonical_json(fields)).hexdigest():
        raise DamagedError(f"{path} is damaged: its digest is not its own")
    if type(number := fields.get("format")) is not int:
        raise DamagedError(f"{path} is no checkpoint's manifest: it has no format number")
    if number > FORMAT:
        raise NewerFormatError(
            f"{path.parent} was written by a newer zoo, in checkpoint format {number}; this one reads formats up to "
            f"{FORMAT}: upgrade torch-zoo"
        )
    try:
        manifest = Manifest(fields["step"], {name: _written(name, file) for name, file in fields["files"].items()})
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DamagedError(f"{path} is no checkpoint's manifest: {type(error).__name__}: {error}") from error
    if manifest.digest != digest:
        raise DamagedError(f"{path} is no checkpoint's manifest: it says more than one of format {FORMAT} does")
    return manifest


def _written(name: str, file: Mapping[str, Any]) -> Written:
    size, sha256 = file["bytes"], file["sha256"]
    if not is_file_name(name) or type(size) is not int or not _DIGEST.fullmatch(sha256):
        raise ValueError(f"{name!r} is not described by bytes and sha256")
    return Written(size, sha256)
