"""What lies in a folder and below it, looked through once and without opening a file."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from pathlib import Path

import zoo
from zoo_folder.names import Names

_LITTER_WORDS = """
    __macosx __pycache__ @eadir @recycle @recently-snapshot @sharebin @synoresource @tmp #recycle #snapshot @__thumb
    thumbs.db ehthumbs.db ehthumbs_vista.db desktop.ini picasa.ini zbthumbnail.info $recycle.bin lost+found found.000
"""
_LITTER = {*_LITTER_WORDS.split(), "icon\r", "network trash folder", "system volume information", "temporary items"}
"""What systems, archivers, editors and storage boxes leave lying about, in lower case."""

_BESIDE_WORDS = """
    txt json jsonl xml csv tsv md rst html htm yaml yml toml ini cfg conf log pdf doc docx xls xlsx ods odt ppt pptx
    zip tar gz bz2 xz rar 7z npy npz pt pth pkl pickle mat h5 hdf5 parquet arrow safetensors onnx py ipynb sh bat js css
    mp4 avi mov mkv wmv webm mp3 wav db sqlite lnk url bak tmp part crdownload download xmp aae thm lrv md5 sha1 sha256
    names pbtxt tfrecord cache lock
"""
_BESIDE = {f".{word}" for word in _BESIDE_WORDS.split()}
"""Endings of files that are no images and often lie beside some."""


@dataclass
class Folder:
    """A folder and what is below it that counts.

    Attributes:
        path: Where it is.
        real: The same without links, as text.
        name: Its path below the root, as POSIX text in NFC, where bytes that are no text are escaped; empty for the
            root itself.
        spelled: The same as the system spells it.
        files: The names of the files that may be images. Litter is not among them, nor what is no image by its ending.
        folders: Those within, by their last names.
        beside: Files that are no images by their ending, counted by it.
        holds_runs: Whether runs of zoo's lie in it, which are left out.
    """

    path: Path
    real: str
    name: str
    spelled: str = ""
    files: Names = field(default_factory=Names)
    folders: dict[str, Folder] = field(default_factory=dict)
    beside: Counter[str] = field(default_factory=Counter)
    holds_runs: bool = False

    @property
    def label(self) -> str:
        """Its last name."""
        return self.name.rpartition("/")[2]

    @cached_property
    def has_images(self) -> bool:
        """Whether a file that may be an image lies in it or below."""
        return len(self.files) > 0 or any(folder.has_images for folder in self.folders.values())

    @property
    def holding(self) -> dict[str, Folder]:
        """The folders within that have images."""
        return {name: folder for name, folder in self.folders.items() if folder.has_images}

    def walk(self) -> Iterator[Folder]:
        """Yield the folder and all below it."""
        yield self
        for folder in self.folders.values():
            yield from folder.walk()


def scan(root: Path) -> Folder:
    """Look through *root*. A link to a folder above leads nowhere; other links are followed.

    Raises:
        UsageError: If a folder cannot be read, or has two names that differ in their Unicode form alone.
    """
    real = os.path.realpath(root)
    folder = Folder(root, real, "")
    _fill(folder, [real])
    return folder


def plain(name: str) -> str:
    """Return a name as every system spells it: composed, and with bytes that are no text escaped."""
    if name.isascii():
        return name
    return unicodedata.normalize("NFC", os.fsencode(name).decode("utf-8", "backslashreplace"))


def _fill(folder: Folder, above: list[str]) -> None:
    files = []
    for name, entry in _entries(folder.path).items():
        if not entry.is_dir():
            # Of very many names each makes no object of its own but its two texts.
            if (ending := _ending(entry.name)) in _BESIDE:
                folder.beside[ending] += 1
            else:
                files.append((entry.name, name))
            continue
        path = folder.path / entry.name
        real = os.path.realpath(path) if entry.is_symlink() else os.path.join(above[-1], entry.name)  # noqa: PTH118
        if entry.is_symlink() and any(_is_within(each, real) for each in above):
            continue
        if _is_run(path):
            folder.holds_runs = True
            continue
        inner = Folder(path, real, _below(folder.name, name), _below(folder.spelled, entry.name))
        _fill(inner, [*above, real])
        folder.folders[name] = inner
    folder.files = Names(files)


def _below(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _entries(path: Path) -> dict[str, os.DirEntry[str]]:
    """Return what lies in a folder, in order of the names as every system spells them."""
    try:
        with os.scandir(path) as listing:
            entries = [entry for entry in listing if not _is_litter(entry.name)]
    except OSError as error:
        # A run may be evaluated from another folder than it was trained in.
        where = "" if path.is_absolute() else f" in {str(Path.cwd())!r}"
        raise zoo.UsageError(f"cannot read the folder {str(path)!r}{where}: {error.strerror}") from error
    found: dict[str, os.DirEntry[str]] = {}
    for name, entry in sorted(((plain(entry.name), entry) for entry in entries), key=itemgetter(0)):
        if name in found:
            raise zoo.UsageError(
                f"{str(path)!r} has two names that look the same, {found[name].name!a} and {entry.name!a}. "
                "Make them one, or rename one"
            )
        found[name] = entry
    return found


def _ending(name: str) -> str:
    """Return a name's ending with its dot, in lower case; empty for none."""
    _, dot, last = name.rpartition(".")
    return f".{last.casefold()}" if dot else ""


def _is_litter(name: str) -> bool:
    return name.startswith((".", "~$")) or name.endswith("~") or name.casefold() in _LITTER


def _is_within(inner: str, outer: str) -> bool:
    return inner == outer or inner.startswith(os.path.join(outer, ""))  # noqa: PTH118


def _is_run(path: Path) -> bool:
    """Whether zoo keeps a run there: what it has learnt from these very images, perhaps."""
    return (path / "config.toml").is_file() and (path / "checkpoints").is_dir()
