"""The files below a folder that are somebody's, without what systems leave lying about."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from zoo.errors import UsageError

# Names that begin with a dot are left out as well.
_LITTER = {"__macosx", "thumbs.db", "desktop.ini", "lost+found", "@eadir", "#recycle", "$recycle.bin"}


def files_of(path: str | Path) -> Iterator[Path]:
    """Yield *path*, or if it is a folder, the files below it in order of their names, each folder's own first.

    Raises:
        UsageError: If it is a folder without files, or one that cannot be read.
    """
    path = Path(path)
    if not path.is_dir():
        yield path
        return
    count = 0
    for count, file in enumerate(_below(path), start=1):  # noqa: B007 - how many there were is asked for below
        yield file
    if not count:
        raise UsageError(f"the folder {str(path)!r} has no files; those that begin with a dot are left out")


def _below(folder: Path) -> Iterator[Path]:
    seen = set()
    for parent, folders, files in os.walk(folder, followlinks=True, onerror=_refuse):
        real = os.path.realpath(parent)
        if real in seen:  # a link may lead back up
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not _is_litter(name))
        yield from (Path(parent, name) for name in sorted(files) if not _is_litter(name))


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name.casefold() in _LITTER


def _refuse(error: OSError) -> None:
    raise UsageError(f"cannot read the folder {error.filename!r}: {error.strerror}") from error
