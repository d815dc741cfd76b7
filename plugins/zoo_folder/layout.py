"""Which images of a folder belong to which class and to which split."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path
from typing import NamedTuple

import torch

import zoo
from zoo_folder.deciding import EXPECTED, Chosen, choose, named, quoted
from zoo_folder.names import Names
from zoo_folder.scanning import Folder, scan

_log = logging.getLogger("zoo.folder")


class Sample(NamedTuple):
    """An image file: its path below the root as the system spells it, its label, and that path as all spell it."""

    spelled: str
    label: int
    name: str


Files = dict[str, Names]
"""The files of each class, in order."""


@dataclass(frozen=True)
class Samples:
    """The images of a split, class by class in the order of the labels, each made when it is asked for.

    Attributes:
        files: Those of each label; it has no images of a label that is missing.
    """

    files: Mapping[int, Names] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(map(len, self.files.values()))

    def __iter__(self) -> Iterator[Sample]:
        return (Sample(spelled, label, name) for label, names in self.files.items() for spelled, name in names)

    @property
    def paths(self) -> Iterator[str]:
        """Each one's path below the root, as the system spells it."""
        return (spelled for names in self.files.values() for spelled, _ in names)

    @property
    def labels(self) -> torch.Tensor:
        """int64 (N,)."""
        counts = torch.tensor([len(names) for names in self.files.values()], dtype=torch.int64)
        return torch.tensor(list(self.files), dtype=torch.int64).repeat_interleave(counts)

    def chosen(self, places: torch.Tensor) -> Samples:
        """Return the images at *places*, int64 (B,), ascending."""
        marked = torch.zeros(len(self), dtype=torch.bool)
        marked[places] = True
        files, start = {}, 0
        for label, names in self.files.items():
            some = marked[start : start + len(names)].tolist()
            files[label] = Names(compress(names, some))
            start += len(names)
        return Samples(files)


class Layout(NamedTuple):
    """The classes, sorted by name, and the images of each split, in a fixed order; *validation* may have none."""

    classes: Sequence[str]
    train: Samples
    test: Samples
    validation: Samples = Samples()


class Splits(NamedTuple):
    """What somebody said of the folders.

    Attributes:
        train: Paths below the root of the folders that hold the training images, class by class; None for not said.
        test: The same for the test images.
        any: Whether there may be splits: False for folders that are classes, whatever their names.
    """

    train: str | Sequence[str] | None = None
    test: str | None = None
    any: bool = True


def find_images(
    root: Path,
    test_fraction: float,
    seed: int,
    *,
    by_name: bool = True,
    splits: Splits = Splits(),  # noqa: B008
) -> Layout:
    """Look through *root* without opening a single image.

    Args:
        root: Holds ``train/CLASS`` and ``test/CLASS``, or ``train/CLASS`` alone, or the classes themselves. A class
            may have folders within. A validation folder is the test set where there is no other.
        test_fraction: The share of the images, in (0, 1), that is kept for testing where no test set is.
        seed: Which images those are.
        by_name: Whether each image's own name decides, or their order, as in the first runs, which trained on a
            validation folder beside a test folder.
        splits: What somebody said of the folders.

    Raises:
        UsageError: If the folder is missing, or laid out otherwise.
    """
    folder = scan(root)
    chosen = _chosen(folder, splits)
    owners: dict[str, tuple[str, str]] = {}
    train: Files = {}
    validation = chosen.validation if by_name else None
    for part in (*chosen.train, *([chosen.validation] if chosen.validation and not by_name else [])):
        for name, files in _classes_in(part, "train", owners).items():
            train[name] = Names([*train[name], *files]) if name in train else files
    if empty := [name for name, files in train.items() if not files]:
        raise zoo.UsageError(f"the class {empty[0]!r} is empty: no images in {str(chosen.train[0].path / empty[0])!r}")
    if len(train) < 2:
        raise zoo.UsageError(_too_few(chosen.train[0], train))
    test = None if chosen.test is None else _tested(chosen.test, "test", train, owners)
    judged = {} if validation is None else _tested(validation, "validation", train, owners)
    _tell(chosen)
    classes = sorted(train)
    if test is not None:
        return Layout(classes, *(_samples(classes, part) for part in (train, test, judged)))
    return _split(classes, train, test_fraction, seed, by_name=by_name)


def _chosen(root: Folder, splits: Splits) -> Chosen:
    if not splits.any:
        if splits.train is not None or splits.test is not None:
            raise zoo.UsageError("data.splits=false says that there are no splits; leave data.train and data.test out")
        return Chosen([root], None)
    if splits.train is not None:
        return named(root, splits.train, splits.test)
    if splits.test is not None:
        raise zoo.UsageError(
            "data.test names the test set; say which folder is the training set: --set data.train=FOLDER"
        )
    return choose(root)


def _classes_in(folder: Folder, part: str, owners: dict[str, tuple[str, str]]) -> Files:
    """Return the images of each class; an empty folder is a class without any, one with other files alone is none.

    Args:
        folder: Holds the classes.
        part: The split that they are in.
        owners: The split and class that each folder belongs to, which is kept up to date.
    """
    classes: Files = {}
    for name, inner in folder.folders.items():
        found: list[tuple[str, str]] = []
        for each in inner.walk():
            if (owner := owners.get(each.real)) == (part, name):
                continue
            if owner is not None:
                raise zoo.UsageError(
                    f"{str(each.path)!r} is part of {'the class' if owner[0] == part else 'the split'} "
                    f"{owner[owner[0] == part]!r} as well, by a link; its images would be in both. Remove the link"
                )
            owners[each.real] = (part, name)
            found += _paths(each)
        if found or not any(each.beside or each.holds_runs for each in inner.walk()):
            classes[name] = Names(sorted(found, key=lambda file: file[1].split("/")))
    return classes


def _paths(folder: Folder) -> Iterator[tuple[str, str]]:
    """Yield the files of a folder, both ways: where they are the same, as nearly always, one text serves for both."""
    for spelled, file in folder.files:
        name = f"{folder.name}/{file}"
        same = file == spelled and folder.name == folder.spelled
        yield name if same else f"{folder.spelled}/{spelled}", name


def _too_few(folder: Folder, classes: Mapping[str, object]) -> str:
    found = f"only the class {quoted(classes)}" if classes else "no class folders"
    deeper = [inner for inner in folder.folders.values() if len(inner.holding) > 1]
    others = sum((each.beside for each in folder.walk()), Counter())
    hint = f" The files there are no images: {_counted(others)}." if others and not folder.has_images else ""
    # An archive often unpacks to a folder within a folder.
    cure = f"Did you mean {str(deeper[0].path)!r}?" if deeper else f"{EXPECTED}, with two classes or more."
    return f"{str(folder.path)!r} has {found}.{hint} {cure}"


def _tested(folder: Folder, part: str, train: Files, owners: dict[str, tuple[str, str]]) -> Files:
    """Return the images of the test set, or the validation set: *part* says which."""
    test = {name: files for name, files in _classes_in(folder, part, owners).items() if files}
    if strangers := sorted(test.keys() - train.keys()):
        raise zoo.UsageError(
            f"{str(folder.path)!r} has classes that no training image has: {quoted(strangers)}. "
            "Remove them, or add training images."
        )
    if not test:
        raise zoo.UsageError(f"there are no images in {str(folder.path)!r}; add them, or leave the {part} set out")
    if missing := sorted(train.keys() - test.keys()):
        _log.warning("folder: no %s images of %s: what is learnt of them is not tested", part, quoted(missing))
    return test


def _split(classes: Sequence[str], files: Files, fraction: float, seed: int, *, by_name: bool) -> Layout:
    """Set *fraction* of the images aside, of each class at least one and never all."""
    if single := [name for name in classes if len(files[name]) < 2]:
        if len(single) == len(classes) or not by_name:
            raise zoo.UsageError(
                f"the class {single[0]!r} has one image alone; a split into training and test images needs two or more"
            )
        _log.warning("folder: one image alone of %s: it is trained on and not tested", quoted(single))
    if not by_name:
        train, test = _shuffled(files, fraction, seed)
        return Layout(classes, _samples(classes, train), _samples(classes, test))
    whole = _samples(classes, files)
    names = zoo.ImageFiles("", whole.paths).names  # which cost their letters
    kept, tested = zoo.split_by_name(names, whole.labels, fraction, seed)
    return Layout(classes, whole.chosen(kept), whole.chosen(tested))


def _shuffled(classes: Files, fraction: float, seed: int) -> tuple[Files, Files]:
    """Return the training and the test images of the first runs, whose order decided."""
    train: Files = {}
    test: Files = {}
    generator = torch.Generator().manual_seed(seed)
    for name, files in classes.items():
        known = list(files)
        shuffled = [known[index] for index in torch.randperm(len(files), generator=generator).tolist()]
        count = min(max(1, round(len(files) * fraction)), len(files) - 1)
        test[name], train[name] = Names(sorted(shuffled[:count])), Names(sorted(shuffled[count:]))
    return train, test


def _samples(classes: Sequence[str], split: Files) -> Samples:
    return Samples({label: split[name] for label, name in enumerate(classes) if name in split})


def _tell(chosen: Chosen) -> None:
    """Say what lies there and is not used, so that nobody takes it for trained on."""
    if chosen.unused:
        _log.warning("folder: %s beside the splits: not used", quoted(folder.name for folder in chosen.unused))
    parts = [*chosen.train, *([chosen.test] if chosen.test else [])]
    if loose := sum(len(part.files) for part in parts):
        files = "1 file" if loose == 1 else f"{loose:,} files"
        _log.warning("folder: %s beside the class folders, in none of them: not used", files)
    if beside := sum((each.beside for part in parts for each in part.walk()), Counter()):
        _log.warning("folder: files that are no images, by their endings: %s: not used", _counted(beside))


def _counted(endings: Counter[str]) -> str:
    return ", ".join(f"{count:,} {ending}" for ending, count in sorted(endings.items()))
