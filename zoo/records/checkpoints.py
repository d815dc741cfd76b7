"""Checkpoints: directories that stand whole or not at all, and tell their own damage.

A checkpoint is written under a hidden name, file by file, each synced to the disk; its manifest, which holds the size
and SHA-256 of every file and its own digest, comes last; then the directory gets its real name in one step, and the
directory above is synced. Whenever the process or the machine stops, the checkpoints that stood before still stand.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import DamagedError, UsageError
from zoo.records.disk import DISK, Disk, canonical_json, open_regular, parse_json, read_bytes, write_synced
from zoo.records.manifest import MANIFEST, STATE, Manifest, is_file_name, read_manifest

if TYPE_CHECKING:
    from torch import Tensor

WHOLE = "whole"
"""The part of a checkpoint with weights whose head was fitted to the validation images, too."""

_MAX_STATE = 64 * 2**20  # bytes; the histories of some 100,000 epochs
_NAME = re.compile(r"step-(\d{8,18})(?:\.([1-9]\d{0,8}))?")
_TEMPORARY = ".tmp-"

_Contents = dict[str, Callable[[], Iterable[bytes | memoryview]]]


@dataclass(frozen=True)
class Damage:
    """A checkpoint that is not whole.

    Attributes:
        path: Its directory.
        reason: What is wrong, naming the file.
    """

    path: Path
    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose manifest is sound. Its files are verified by `verify`, and again whenever they are read.

    Attributes:
        path: Its directory.
        manifest: What it was when it was written.
    """

    path: Path
    manifest: Manifest

    @property
    def step(self) -> int:
        """The number of optimizer steps that it comes after."""
        return self.manifest.step

    @property
    def names(self) -> list[str]:
        """The parts of which it has tensors, such as ``model`` and ``optimizer``, sorted."""
        return sorted(name.removesuffix(".safetensors") for name in self.manifest.files if name != STATE)

    @property
    def validated_part(self) -> str:
        """The part that was validated: the averaged weights where there are such."""
        return "average" if "average" in self.names else "model"

    @property
    def weights_part(self) -> str:
        """The part with the weights that count."""
        return WHOLE if WHOLE in self.names else self.validated_part

    def tensors(self, name: str) -> dict[str, Tensor]:
        """Return the tensors of the part *name*, by name, on the CPU.

        Raises:
            DamagedError: If there is no such part, or its file is not the one that was written.
        """
        file = f"{name}.safetensors"
        self._require(file)
        written = self.manifest.files[file]
        from zoo.records.tensors import read_tensors  # torch, which looking through runs must not wait for

        return read_tensors(self.path / file, max_bytes=written.size, sha256=written.sha256)

    @cached_property
    def state(self) -> dict[str, Any]:
        """The plain data that was saved beside the tensors.

        Raises:
            DamagedError: If its file is not the one that was written.
        """
        self._require(STATE)
        path = self.path / STATE
        data = read_bytes(path, _MAX_STATE)
        if hashlib.sha256(data).hexdigest() != self.manifest.files[STATE].sha256:
            raise DamagedError(f"{path} is damaged: its bytes are not those that were written (SHA-256)")
        state = parse_json(data, str(path))
        if not isinstance(state, dict):
            raise DamagedError(f"{path} is damaged: it holds no table")
        return state

    def verify(self) -> None:
        """Read every file, a piece at a time, and compare it with the manifest.

        Raises:
            DamagedError: If one is missing or not the one that was written; the file is named.
        """
        for name, written in self.manifest.files.items():
            path = self.path / name
            with open_regular(path) as (file, size):
                if size != written.size:
                    raise DamagedError(f"{path} is damaged: it has {size} bytes, {written.size} were written")
                if hashlib.file_digest(file, "sha256").hexdigest() != written.sha256:
                    raise DamagedError(f"{path} is damaged: its bytes are not those that were written (SHA-256)")

    def _require(self, file: str) -> None:
        if file not in self.manifest.files:
            raise DamagedError(f"checkpoint {self.path} has no {file}, only {', '.join(sorted(self.manifest.files))}")


class CheckpointStore:
    """The checkpoints of one run: a directory with one for each saved step, ``step-00002150``.

    A step that is saved again with another state, as when a run is stopped while it evaluates and then goes on, gets a
    second directory, ``step-00002150.2``: nothing that is whole is ever replaced. One writer at a time: whoever saves
    or prunes holds the run's `zoo.records.lock.RunLock`. Readers need none.

    Args:
        directory: ``RUN/checkpoints``; it is made when the first checkpoint is.
        disk: Where to write.

    Attributes:
        damages: The checkpoints that the last `newest` found to be damaged, the newest first.
    """

    def __init__(self, directory: Path, disk: Disk = DISK) -> None:
        self.directory, self.disk = directory, disk
        self.damages: list[Damage] = []

    def save(
        self,
        step: int,
        *,
        tensors: Mapping[str, Mapping[str, Tensor]],
        state: Mapping[str, Any],
        whole: Callable[[Tensor], Tensor] | None = None,
    ) -> Path:
        """Save a checkpoint; when this returns, it would survive a loss of power.

        What dead writers left behind is removed first. Where the step's newest checkpoint is whole and has the very
        same content, nothing changes.

        Args:
            step: The number of optimizer steps so far, 0 or more.
            tensors: By part and name, as in ``{"model": model.state_dict()}``; a part's name is lower-case.
            state: Plain data as JSON has it: string keys, finite numbers, no tuples. `zoo.records.tree` makes it so.
            whole: Maps each tensor, when its bytes are written, to one of its shape and type on this process's device;
                None where they are that.

        Returns:
            The checkpoint's directory.

        Raises:
            OSError: If the disk is full, or refuses otherwise. What was written is removed again, as far as the disk
                allows; else the next save removes it.
            UsageError: If a tensor cannot be kept.
        """
        contents = _contents(tensors, state, whole)
        temporary = self.directory / f"{_TEMPORARY}{_name(step, 1)}"
        try:
            self._prepare()
            self.disk.make_directory(temporary)
            files = {name: write_synced(temporary / name, make(), self.disk) for name, make in contents.items()}
            manifest = Manifest(step, files)
            write_synced(temporary / MANIFEST, [manifest.to_bytes()], self.disk)
            self.disk.sync_directory(temporary)
            return self._put_in_place(temporary, manifest)
        finally:
            with suppress(OSError):
                self._remove_unfinished()

    def newest(self) -> Checkpoint | None:
        """Return the newest checkpoint that is whole, every byte of it verified; None where none was ever saved.

        Those that were passed over because they are damaged are in `damages` afterwards.

        Raises:
            DamagedError: If there are checkpoints, and all of them are damaged.
            NewerFormatError: If a newer zoo wrote the newest one that is whole.
        """
        self.damages = []
        while paths := self._directories():
            for path in paths:
                found = _open_whole(path)
                if isinstance(found, Checkpoint):
                    return found
                if os.path.lexists(path):  # else whoever writes the run has pruned it meanwhile
                    self.damages.append(found)
            if self.damages:
                raise DamagedError(f"every checkpoint in {self.directory} is damaged; the newest: {self.damages[0]}")
        return None

    def at(self, step: int) -> Checkpoint | None:
        """Return the newest whole checkpoint of one step, every byte of it verified; None where there is none.

        Raises:
            DamagedError: If all that there are of this step are damaged.
            NewerFormatError: If a newer zoo wrote it.
        """
        reasons = []
        for path in self._directories(step):
            found = _open_whole(path)
            if isinstance(found, Checkpoint):
                return found
            reasons.append(found.reason)
        if reasons:
            raise DamagedError(reasons[0])
        return None

    def visible_damages(self) -> list[Damage]:
        """Return what is wrong with the newest checkpoint by its manifest and its files' sizes; they are not read.

        Raises:
            NewerFormatError: If a newer zoo wrote it.
        """
        for path in self._directories()[:1]:
            try:
                manifest = read_manifest(path / MANIFEST)
                for name, written in manifest.files.items():
                    if (size := (path / name).stat().st_size) != written.size:
                        reason = f"{path / name} is damaged: it has {size} bytes, {written.size} were written"
                        return [Damage(path, reason)]
            except DamagedError as error:
                return [Damage(path, str(error))]
            except OSError as error:
                return [Damage(path, f"{path} is damaged: {error.filename}: {error.strerror}")]
        return []

    def digest_at(self, step: int) -> str:
        """Return the digest of the newest checkpoint of one step, whose files are not read for it.

        Raises:
            DamagedError: If there is none, or its manifest is damaged.
        """
        paths = self._directories(step)
        if not paths:
            raise DamagedError(f"there is no checkpoint of step {step} in {self.directory}")
        return read_manifest(paths[0] / MANIFEST).digest

    def steps(self) -> list[int]:
        """Return the steps of which there are checkpoints, ascending, without those known to be damaged."""
        damaged = {damage.path for damage in self.damages}
        return sorted({_parsed(path)[0] for path in self._directories() if path not in damaged})

    def prune(self, keep: Collection[int]) -> None:
        """Remove the checkpoints of all steps but those in *keep*, damaged ones too.

        Of a kept step that was saved more than once the newest stays, if it is whole; else all do. A checkpoint first
        loses its name and then its files, so that none is ever seen half removed. What the disk refuses to remove is
        tried again by the next save.
        """
        for step in {_parsed(path)[0] for path in self._directories()}:
            paths = self._directories(step)
            if step not in keep:
                self._discard(paths)
            elif len(paths) > 1 and isinstance(_open_whole(paths[0]), Checkpoint):
                self._discard(paths[1:])

    def _put_in_place(self, temporary: Path, manifest: Manifest) -> Path:
        """Give a finished checkpoint its name, unless the step's newest checkpoint is its equal."""
        earlier = self._directories(manifest.step)
        if earlier:
            found = _open_whole(earlier[0])
            if isinstance(found, Checkpoint) and found.manifest == manifest:
                return found.path
        target = self.directory / _name(manifest.step, _parsed(earlier[0])[1] + 1 if earlier else 1)
        self.disk.rename(temporary, target)
        self.disk.sync_directory(self.directory)
        return target

    def _directories(self, step: int | None = None) -> list[Path]:
        """Return the directories that have a checkpoint's name, of one step or of all, the newest first."""
        if not self.directory.is_dir():
            return []
        found = [path for path in self.directory.iterdir() if _NAME.fullmatch(path.name)]
        chosen = found if step is None else [path for path in found if _parsed(path)[0] == step]
        return sorted(chosen, key=_parsed, reverse=True)

    def _prepare(self) -> None:
        if not self.directory.is_dir():  # but not the run's: where that was removed, the save fails
            self.disk.make_directory(self.directory)
            self.disk.sync_directory(self.directory.parent)
        self._remove_unfinished()

    def _remove_unfinished(self) -> None:
        for path in self.directory.glob(f"{_TEMPORARY}*"):
            self.disk.remove(path)

    def _discard(self, paths: list[Path]) -> None:
        for path in paths:
            hidden = path.with_name(f"{_TEMPORARY}{path.name}")
            with suppress(OSError):
                self.disk.rename(path, hidden)
                self.disk.remove(hidden)


def open_checkpoint(path: Path) -> Checkpoint:
    """Return the checkpoint in the directory *path*, wherever it was copied to, every byte of it verified.

    Raises:
        DamagedError: If it is damaged.
        NewerFormatError: If a newer zoo wrote it.
    """
    checkpoint = Checkpoint(path, read_manifest(path / MANIFEST))
    checkpoint.verify()
    return checkpoint


def estimate_bytes(tensors: Mapping[str, Mapping[str, Tensor]]) -> int:
    """Return how many bytes the tensors of a checkpoint take on the disk."""
    from zoo.records.tensors import file_size

    return sum(file_size(part) for part in tensors.values())


def _name(step: int, revision: int) -> str:
    return f"step-{step:08d}" + (f".{revision}" if revision > 1 else "")


def _parsed(path: Path) -> tuple[int, int]:
    """Return the step and the revision, which counts from 1, of a checkpoint's directory."""
    found = _NAME.fullmatch(path.name)
    if not found:
        raise ValueError(f"{path.name!r} is no checkpoint's name")
    return int(found[1]), int(found[2] or 1)


def _contents(
    tensors: Mapping[str, Mapping[str, Tensor]],
    state: Mapping[str, Any],
    whole: Callable[[Tensor], Tensor] | None,
) -> _Contents:
    """Return a checkpoint's files by name, each as what makes its bytes."""
    from zoo.records.tensors import tensor_chunks

    text = canonical_json(state)
    contents: _Contents = {
        f"{name}.safetensors": partial(tensor_chunks, part, whole=whole) for name, part in tensors.items()
    }
    for name in contents:
        if not is_file_name(name):
            raise UsageError(f"{name!r} is no name for a checkpoint's file: lower-case letters, digits and _ only")
    return {**contents, STATE: lambda: [text]}


def _open_whole(path: Path) -> Checkpoint | Damage:
    """Return the checkpoint in the directory *path*, every byte of it verified, or what is wrong with it.

    Raises:
        NewerFormatError: If a newer zoo wrote it.
    """
    try:
        checkpoint = open_checkpoint(path)
        if checkpoint.step != _parsed(path)[0]:
            raise DamagedError(f"{path} is not where it was written: it is that of step {checkpoint.step}")
    except DamagedError as error:
        return Damage(path, str(error))
    return checkpoint
