"""Which images of a folder belong to which class and to which split."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

import zoo

EXPECTED = "Expected are ROOT/train/CLASS/* and ROOT/test/CLASS/*, or ROOT/CLASS/*"
_ROLES = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
}
# What operating systems and archivers leave lying about; names that begin with a dot are ignored as well.
_LITTER = {"__MACOSX", "Thumbs.db", "desktop.ini", "lost+found"}


Files = dict[str, Sequence[Path]]
"""The files of each class."""


class Sample(NamedTuple):
    """An image file, its label, the index of its class, and its own name: its path below the root, alike everywhere."""

    path: Path
    label: int
    name: str


class Layout(NamedTuple):
    """The classes, sorted by name, and the images of both splits, in a fixed order."""

    classes: Sequence[str]
    train: Sequence[Sample]
    test: Sequence[Sample]


def find_images(root: Path, test_fraction: float, seed: int, *, by_name: bool = True) -> Layout:
    """Look through *root* without opening a single image.

    Args:
        root: Holds ``train/CLASS`` and ``test/CLASS``, or ``train/CLASS`` alone, or the classes themselves. A class
            may have folders within. A validation folder (``val``, ``valid``, ``validation``) is the test set where
            there is no other, and is otherwise counted among the training images.
        test_fraction: The share of each class's images, in (0, 1), that is kept for testing where no test set is.
        seed: Which images those are.
        by_name: Whether each image's own name decides, or their order, as in the first runs.

    Raises:
        UsageError: If the folder is missing, or laid out otherwise.
    """
    folders = _folders_in(root)
    roles = {role: folder for name, folder in folders.items() if (role := _ROLES.get(name.casefold()))}
    if not roles:
        return _split(root, _classes_in(root), test_fraction, seed, by_name=by_name)
    if "train" not in roles:
        raise zoo.UsageError(f"{str(root)!r} has {_names(roles)} but no 'train'. {EXPECTED}.")
    train = _classes_in(roles["train"])
    if "test" not in roles and "validation" not in roles:
        return _split(root, train, test_fraction, seed, by_name=by_name)
    if "test" in roles and "validation" in roles:
        for name, paths in _known(_classes_in(roles["validation"]), train, roles["validation"]).items():
            train[name] = [*train[name], *paths]
    tested = roles.get("test", roles.get("validation", root))
    return _layout(root, train, _known(_classes_in(tested), train, tested))


def _folders_in(root: Path) -> dict[str, Path]:
    try:
        found = sorted(root.iterdir())
    except OSError as error:
        # A run may be evaluated from another folder than it was trained in.
        where = "" if root.is_absolute() else f" in {str(Path.cwd())!r}"
        raise zoo.UsageError(f"cannot read the folder {str(root)!r}{where}: {error.strerror}. {EXPECTED}.") from error
    return {path.name: path for path in found if path.is_dir() and not _is_litter(path.name)}


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name in _LITTER


def _classes_in(folder: Path) -> dict[str, Sequence[Path]]:
    """Return the images of each class, both in order of their names."""
    folders = _folders_in(folder)
    if len(folders) < 2:
        raise zoo.UsageError(_too_few(folder, folders))
    classes: dict[str, Sequence[Path]] = {name: sorted(_files_below(path)) for name, path in folders.items()}
    for name, files in classes.items():
        if not files:
            raise zoo.UsageError(f"the class {name!r} is empty: no images in {str(folders[name])!r}")
    return classes


def _too_few(folder: Path, folders: Mapping[str, Path]) -> str:
    found = f"only the class {_names(folders)}" if folders else "no class folders"
    deeper = [path for path in folders.values() if len(_folders_in(path)) > 1]
    # An archive often unpacks to a folder within a folder.
    cure = f"Did you mean {str(deeper[0])!r}?" if deeper else f"{EXPECTED}, with two classes or more."
    return f"{str(folder)!r} has {found}. {cure}"


def _files_below(folder: Path) -> Iterator[Path]:
    seen = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        # A link may lead back up: every real folder is looked through once.
        real = os.path.realpath(parent)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not _is_litter(name))
        yield from (Path(parent, name) for name in files if not _is_litter(name))


def _known(
    tested: dict[str, Sequence[Path]], train: Mapping[str, Sequence[Path]], folder: Path
) -> dict[str, Sequence[Path]]:
    if strangers := sorted(tested.keys() - train.keys()):
        raise zoo.UsageError(
            f"{str(folder)!r} has classes that no training image has: {', '.join(map(repr, strangers))}. "
            "Remove them, or add training images."
        )
    return tested


def _split(root: Path, classes: Mapping[str, Sequence[Path]], fraction: float, seed: int, *, by_name: bool) -> Layout:
    """Set *fraction* of each class aside, at least one image and never all."""
    for name, paths in classes.items():
        if len(paths) < 2:
            raise zoo.UsageError(
                f"the class {name!r} has one image alone; a split into training and test images needs two or more"
            )
    if not by_name:
        return _layout(root, *_shuffled(classes, fraction, seed))
    whole = _layout(root, classes, {})
    labels = torch.tensor([sample.label for sample in whole.train])
    parts = zoo.split_by_name([sample.name for sample in whole.train], labels, fraction, seed)
    train, test = ([whole.train[index] for index in indices.tolist()] for indices in parts)
    return Layout(whole.classes, train, test)


def _shuffled(classes: Mapping[str, Sequence[Path]], fraction: float, seed: int) -> tuple[Files, Files]:
    """Return the training and the test images of the first runs, whose order decided."""
    train: Files = {}
    test: Files = {}
    generator = torch.Generator().manual_seed(seed)
    for name, paths in classes.items():
        shuffled = [paths[index] for index in torch.randperm(len(paths), generator=generator).tolist()]
        count = min(max(1, round(len(paths) * fraction)), len(paths) - 1)
        test[name], train[name] = sorted(shuffled[:count]), sorted(shuffled[count:])
    return train, test


def _layout(root: Path, train: Mapping[str, Sequence[Path]], test: Mapping[str, Sequence[Path]]) -> Layout:
    classes = sorted(train)
    return Layout(
        classes,
        *(
            [
                Sample(path, label, _name(path, root))
                for label, name in enumerate(classes)
                for path in split.get(name, ())
            ]
            for split in (train, test)
        ),
    )


def _name(path: Path, root: Path) -> str:
    """Return the file's path below *root* as every system spells it, with bytes that are no text escaped."""
    text = os.fsencode(path.relative_to(root).as_posix()).decode("utf-8", "backslashreplace")
    return unicodedata.normalize("NFC", text)


def _names(names: Mapping[str, object]) -> str:
    return ", ".join(map(repr, names))
