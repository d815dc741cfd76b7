"""Tar archives of images as a dataset."""

from __future__ import annotations

import io
import logging
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import torch

import zoo
from zoo_tar.index import Index, index_of, stamp_of

_log = logging.getLogger("zoo.tar")

_SPLITS = {
    **dict.fromkeys(("train", "training", "trainval"), "train"),
    **dict.fromkeys(("test", "testing"), "test"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "validation"),
    **dict.fromkeys(("eval", "evaluation"), "evaluation"),
}
_LONGER = {
    f"{word}{ending}": part for word, part in _SPLITS.items() for ending in ("s", "set", "sets", "data", "images")
}
_WORD = re.compile(r"[^\W\d_]+")


class TarImages:
    """Images in shards, each read by its place, so that any order is as good as another.

    Args:
        shards: The archives and what lies in them.
        chosen: Which images, as places in all of them, one shard behind the other; None for all.
    """

    cure = "Mend the archive, or remove it."

    def __init__(self, shards: Sequence[tuple[Path, Index]], chosen: Sequence[int] | None = None) -> None:
        self._paths = [path for path, _ in shards]
        self._stamps = [index.stamp for _, index in shards]
        counts = [len(index.names) for _, index in shards]
        order = np.arange(sum(counts)) if chosen is None else np.asarray(chosen, dtype=np.int64)
        self._shards = np.repeat(np.arange(len(shards)), counts)[order]
        self._offsets = np.concatenate([np.asarray(index.offsets, np.int64) for _, index in shards])[order]
        self._lengths = np.concatenate([np.asarray(index.lengths, np.int64) for _, index in shards])[order]
        every = [f"{path.name}/{name}" for path, index in shards for name in index.names]
        self.names = [every[place] for place in order.tolist()]

    @property
    def sizes(self) -> list[int]:
        """The bytes of each image."""
        return [int(length) for length in self._lengths]

    def place(self, index: int) -> str:
        """Return an archive's path and the member's in it."""
        path = self._paths[self._shards[index]]
        return f"{path}{self.names[index].removeprefix(path.name)}"

    def open(self, index: int) -> BinaryIO:
        """Read an image's bytes.

        Raises:
            UsageError: If the archive is gone.
            DamagedError: If it changed.
        """
        shard = self._shards[index]
        try:
            with self._paths[shard].open("rb") as file:
                if stamp_of(os.fstat(file.fileno())) != self._stamps[shard]:
                    raise zoo.DamagedError(f"{str(self._paths[shard])!r} was changed while it was in use")
                return io.BytesIO(os.pread(file.fileno(), int(self._lengths[index]), int(self._offsets[index])))
        except OSError as error:
            raise zoo.UsageError(f"cannot read {str(self._paths[shard])!r}: {error.strerror}") from error


def tar(
    *,
    root: str | None = None,
    size: int | list[int] | None = None,
    color: bool | None = None,
    stream: bool | None = None,
    fit: Literal["stretch", "pad", "crop"] = "stretch",
    test_fraction: float = 0.2,
    seed: int = 0,
) -> zoo.Dataset:
    """Read webdataset shards: tar archives, not compressed, whose members KEY.jpg and KEY.cls belong together.

    Each archive is looked through once; what lies where is kept in zoo's cache until the archive changes. Any image is
    then read by its place, so that the order is as random as that of files, and nothing is buffered.

    Args:
        root: A folder of .tar files, or one of them. A word train, test, val or eval in their names tells their split;
            those without one are trained on. Those of eval are for validation beside others for testing. A label is
            the text of KEY.cls, or ``label`` in KEY.json: the name or number of one class. A KEY ends at its name's
            first dot.
        size: [H, W] to which images are resized, or one number for both. If left out, chosen as for a folder.
        color: True for three channels, False for one. If left out: three if any training image is in colour.
        stream: Whether images are read while training; if left out, as for a folder.
        fit: How a picture of another aspect becomes one of that size, as for a folder.
        test_fraction: The share that is kept for testing, in (0, 1), where no archive is of the test split.
        seed: Which images those are.

    Returns:
        The dataset. Its classes are sorted, as numbers where all are such.

    Raises:
        UsageError: If *root* is not given or holds no archive, a name has the words of two splits, or a label cannot
            be; the archive and member are named.
        DamagedError: If an archive is damaged.
    """
    if root is None:
        raise zoo.UsageError("which archives? --set data.root=DIR names a folder of .tar files")
    if not 0 < test_fraction < 1:
        raise zoo.UsageError(f"test_fraction must be above 0 and below 1, not {test_fraction!r}")
    shards = _shards(Path(root).expanduser())
    parts: dict[str, list[tuple[Path, Index]]] = {"train": [], "test": [], "validation": [], "evaluation": []}
    for shard in shards:
        parts[_split_of(shard[0])].append(shard)
    evaluation = parts.pop("evaluation")
    parts["validation" if parts["test"] else "test"] += evaluation  # as of a folder
    if not parts["train"]:
        raise zoo.UsageError(f"no archive holds training images: {', '.join(str(path) for path, _ in shards) or root}")
    if not parts["test"]:
        parts["test"], parts["validation"] = parts["validation"], []
    texts = {part: [label for _, index in found for label in index.labels] for part, found in parts.items()}
    classes = sorted(set(texts["train"]), key=_as_number_or_text)
    if strangers := sorted(set(texts["test"] + texts["validation"]) - set(classes)):
        raise zoo.UsageError(f"{str(root)!r} has classes that no training image has: {', '.join(strangers[:3])}")
    numbers = {label: number for number, label in enumerate(classes)}
    labels = {part: [numbers[text] for text in found] for part, found in texts.items()}
    train, test = _train_and_test(parts, labels, test_fraction, seed)
    return zoo.encoded_dataset(
        train,
        test,
        classes,
        validation=(TarImages(parts["validation"]), labels["validation"]) if parts["validation"] else None,
        size=size,
        color=color,
        stream=stream,
        fit=fit,
    )


def _shards(root: Path) -> list[tuple[Path, Index]]:
    paths = sorted(root.glob("*.tar")) if root.is_dir() else [root]
    if not paths or not paths[0].is_file():
        raise zoo.UsageError(f"there is no .tar file in {str(root)!r}" if paths == [] else f"there is no {str(root)!r}")
    shards = [(path, index_of(path)) for path in paths]
    if count := sum(index.beside for _, index in shards):
        path, example = next((path, index.example) for path, index in shards if index.beside)
        images = "1 image" if count == 1 else f"{count:,} images"
        told = "tar: %s behind a second dot, as %r in %r: not used, as webdataset has it"
        _log.warning(told, images, example, str(path))
    return [(path, index) for path, index in shards if index.names]


def _split_of(path: Path) -> str:
    words = _WORD.findall(path.stem.casefold())
    # A word by itself says more than one with an ending: traindata-val-0 is for validation.
    found = ({known[word] for word in words if word in known} for known in (_SPLITS, _LONGER))
    parts = sorted(next(filter(None, found), ()))
    if len(parts) > 1:
        raise zoo.UsageError(f"{str(path)!r} may be of {' or of '.join(parts)} by its name; give it one of these words")
    return parts[0] if parts else "train"


def _train_and_test(
    parts: Mapping[str, Sequence[tuple[Path, Index]]], labels: Mapping[str, Sequence[int]], fraction: float, seed: int
) -> tuple[tuple[TarImages, Sequence[int]], tuple[TarImages, Sequence[int]]]:
    train = TarImages(parts["train"])
    if parts["test"]:
        return (train, labels["train"]), (TarImages(parts["test"]), labels["test"])
    own = labels["train"]
    kept, held = (part.tolist() for part in zoo.split_by_name(train.names, torch.tensor(own), fraction, seed))
    one, other = ((TarImages(parts["train"], part), [own[index] for index in part]) for part in (kept, held))
    return one, other


def _as_number_or_text(label: str) -> tuple[bool, int, str]:
    number = label.isascii() and label.isdigit()
    return not number, int(label) if number else 0, label
