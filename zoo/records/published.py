"""A published folder: its files, and the manifest that tells what each must be."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from zoo.errors import DamagedError, UsageError
from zoo.records.disk import Written, canonical_json, open_regular, parse_json, read_bytes, write_synced
from zoo.records.manifest import MANIFEST

FORMAT = 1
WEIGHTS = "model.safetensors"
RECIPE = "zoo.toml"
HUB_CONFIG = "config.json"
CARD = "README.md"

_KIND = "published model"
_MAX_BYTES = 2**20


def write_folder_manifest(folder: Path, files: Mapping[str, Written]) -> None:
    """Write what each of a folder's files is, and a digest of that."""
    body = {
        "format": FORMAT,
        "kind": _KIND,
        "files": {name: {"bytes": file.size, "sha256": file.sha256} for name, file in files.items()},
    }
    write_synced(folder / MANIFEST, [canonical_json({**body, "digest": _digest(body)})])


def is_published(folder: Path) -> bool:
    """Tell whether a folder looks like a published one."""
    return (folder / MANIFEST).is_file() and (folder / WEIGHTS).is_file() and (folder / RECIPE).is_file()


def verify_folder(folder: Path) -> None:
    """Compare every file of a published folder with its manifest, before any of them is parsed.

    Files that the manifest does not name are nobody's business: a hub adds some.

    Raises:
        DamagedError: If one is missing, or not the one that was published; it is named.
        UsageError: If a newer zoo published it.
    """
    for name, written in files_listed_in(folder / MANIFEST).items():
        path = folder / name
        with open_regular(path) as (file, size):
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if (size, found) != (written.size, written.sha256):
            raise DamagedError(f"{path} is damaged: its bytes are not those that were published (SHA-256)")


def files_listed_in(path: Path) -> dict[str, Written]:
    """Return what each file of a published folder must be, as its manifest says, which is verified first.

    Raises:
        DamagedError: If the manifest is damaged, or lists what is no file of its folder.
        UsageError: If a newer zoo wrote it.
    """
    data = read_bytes(path, _MAX_BYTES)
    fields = parse_json(data, str(path))
    if not isinstance(fields, dict) or canonical_json(fields) != data:
        raise DamagedError(f"{path} is damaged: it is not in the form in which it was written")
    digest = fields.pop("digest", None)
    if digest != _digest(fields) or fields.get("kind") != _KIND or type(fields.get("format")) is not int:
        raise DamagedError(f"{path} is damaged, or not the manifest of a published model: its digest is not its own")
    if fields["format"] > FORMAT:
        raise UsageError(f"{path.parent} was published by a newer zoo, in format {fields['format']}: upgrade torch-zoo")
    try:
        files = {name: Written(int(file["bytes"]), str(file["sha256"])) for name, file in fields["files"].items()}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DamagedError(f"{path} misstates a file: {error}") from error
    if odd := [name for name in files if PurePath(name).name != name or name == MANIFEST]:
        raise DamagedError(f"{path} names {odd[0]!r}, which is no file of its folder")
    if WEIGHTS not in files:
        raise DamagedError(f"{path} does not name {WEIGHTS}")
    return files


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(body)).hexdigest()
