"""What lies where in a tar archive: found in one pass, and kept in zoo's own cache."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import zoo

IMAGES = {"jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff", "ppm", "avif"}
"""Endings of images."""

_SCHEMA = 2
_LABEL = 1 << 16  # bytes of a label at most


class Index(NamedTuple):
    """One shard's images, in the order in which they lie.

    Attributes:
        names: Of the members.
        labels: The names of their classes.
        offsets: Where their bytes begin.
        lengths: How many bytes they have.
        beside: How many images are no sample's own, such as KEY.mask.png: they are not among the others.
        example: The first of these; empty for none.
        stamp: The archive's size in bytes, and its time of change in nanoseconds.
    """

    names: Sequence[str]
    labels: Sequence[str]
    offsets: Sequence[int]
    lengths: Sequence[int]
    beside: int
    example: str
    stamp: tuple[int, int]


def stamp_of(found: os.stat_result) -> tuple[int, int]:
    """Return a file's size in bytes, and its time of change in nanoseconds."""
    return found.st_size, found.st_mtime_ns


def index_of(path: Path) -> Index:
    """Return a shard's index: the kept one, if the shard is what it was, or else a new one, which is kept.

    Raises:
        UsageError: If an image has no label, or one of several classes.
        DamagedError: If the archive is damaged.
    """
    kept, stamp = _place(path), stamp_of(path.stat())
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        data = json.loads(kept.read_bytes())
        if data.pop("schema") == _SCHEMA and tuple(data.pop("stamp")) == stamp:
            return Index(**data, stamp=stamp)
    index = _read(path, stamp)
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time alone
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_name(f".{kept.name}.{os.getpid()}.part")
        part.write_text(json.dumps({"schema": _SCHEMA, **index._asdict()}))
        part.replace(kept)
    return index


def _place(path: Path) -> Path:
    name = hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:32]
    return zoo.data_folder("tar") / f"{name}.json"


def _read(path: Path, stamp: tuple[int, int]) -> Index:
    images: dict[str, tarfile.TarInfo] = {}
    labels: dict[str, str] = {}
    beside: list[str] = []
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                folder, _, name = member.name.rpartition("/")
                stem, _, ending = name.partition(".")
                key = f"{folder}/{stem}"
                if not member.isreg() or not stem:
                    continue
                if ending.casefold() in IMAGES:
                    if key in images:
                        raise zoo.UsageError(f"{str(path)!r}: {member.name!r} is the second image of its sample")
                    images[key] = member
                elif ending.casefold().rpartition(".")[2] in IMAGES:
                    beside.append(member.name)
                elif ending.casefold() in ("cls", "json"):
                    file = archive.extractfile(member)
                    content = b"" if file is None else file.read(_LABEL)
                    if (label := _label(path, member.name, ending.casefold(), content)) is not None:
                        labels[key] = label
    except (tarfile.TarError, EOFError, OSError) as error:
        raise zoo.DamagedError(f"{str(path)!r} is no tar archive, compressed, or damaged: {error}") from error
    for key, member in images.items():
        if key not in labels:
            raise zoo.UsageError(
                f"{str(path)!r}: {member.name!r} has no label, a member {key.lstrip('/')}.cls or .json"
            )
    members = images.values()
    return Index(
        names=[member.name for member in members],
        labels=[labels[key] for key in images],
        offsets=[member.offset_data for member in members],
        lengths=[member.size for member in members],
        beside=len(beside),
        example=beside[0] if beside else "",
        stamp=stamp,
    )


def _label(path: Path, name: str, ending: str, content: bytes) -> str | None:
    """Return the class that a member tells; None for JSON that tells other things."""
    try:
        label = content.decode().strip() if ending == "cls" else json.loads(content)
    except ValueError as error:
        raise zoo.DamagedError(f"{str(path)!r}: {name!r} cannot be read: {error}") from error
    if isinstance(label, dict):
        if "label" not in label:
            return None
        label = label["label"]
    if isinstance(label, list | dict):
        raise zoo.UsageError(f"{str(path)!r}: {name!r} names several classes; zoo trains with one for each image")
    if label is None or isinstance(label, float) or not str(label):
        raise zoo.UsageError(f"{str(path)!r}: {name!r} must hold the name of a class, not {label!r}")
    return str(label)
