"""What the data of a run are known by, so that others are not taken for them.

A split whose samples have names and sizes is known by those: the files are not read for it. Any other is known by the
SHA-256 of its pixels, of all where they are in memory and else of some, and each by its labels besides. The order of
named samples plays no part, as no name depends on it.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoo.data.dataset import Dataset, ImageFacts, Split, TensorImages, weights_of
from zoo.data.lazy import taken
from zoo.data.ranking import by_name
from zoo.files.json_pieces import json_sha256

SPLITS = ("train", "test")
"""The splits that every dataset has, before anything is held out; some have one for ``"validation"``, too."""

_SAMPLE = 32  # images of a split that has neither names nor pixels in memory
_AT_ONCE = 4096  # images that are hashed at a time, which bounds the copy that a layout may ask for

_Content = Tensor | list[Sequence[Any]]


@dataclass(frozen=True)
class Listing:
    """The named samples of a split, sorted by name.

    Attributes:
        names: N texts.
        labels: N numbers, each in [0, K).
        sizes: N numbers, the bytes of each sample's file; None where there are no files.
    """

    names: Sequence[str]
    labels: Sequence[int]
    sizes: Sequence[int] | None


@dataclass(frozen=True)
class SplitIdentity:
    """What one split is known by.

    Attributes:
        counts: K numbers, the images of each class.
        known_by: What the digests are over: ``"names and sizes"``, ``"names and pixels"``, ``"pixels"`` and so on.
        labels_sha256: Over the labels, with the names and the weights where there are such.
        images_sha256: Over the names and sizes, or the pixels.
    """

    counts: tuple[int, ...]
    known_by: str
    labels_sha256: str
    images_sha256: str


@dataclass(frozen=True)
class DataIdentity:
    """What a dataset is known by.

    Attributes:
        facts: The classes, the shape of the images and their statistics.
        splits: Each split's own, by its name.
    """

    facts: ImageFacts
    splits: Mapping[str, SplitIdentity]


class Identification:
    """Finds out what a dataset is known by, in threads, while others go on: hashing leaves the interpreter to them.

    Args:
        dataset: Its in-memory splits still on the CPU, where they are hashed.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.facts = dataset.facts
        self.measured = dataset.mean is not None
        splits = {name: getattr(dataset, name) for name in (*SPLITS, "validation")}
        splits = {name: split for name, split in splits.items() if split is not None}
        self.orders: Mapping[str, NDArray[np.int64]] = {name: _order(split) for name, split in splits.items()}
        self.listings: Mapping[str, Listing | None] = {
            name: _listing(split, self.orders[name]) for name, split in splits.items()
        }
        pool = ThreadPoolExecutor(1, thread_name_prefix="zoo-identity")
        self._found: dict[str, Future[SplitIdentity]] = {
            name: pool.submit(
                _identity,
                split.labels.cpu(),
                self.listings[name],
                *_known_by(split, self.listings[name], self.orders[name]),
                self.facts.num_classes,
                _weights(split, self.orders[name]),
            )
            for name, split in splits.items()
        }
        pool.shutdown(wait=False)

    def of(self, *names: str) -> DataIdentity:
        """Return what the splits with these *names*, or all, are known by, waiting for it where need be."""
        names = tuple(name for name in self._found if not names or name in names)
        return DataIdentity(self.facts, {name: self._found[name].result() for name in names})


def _order(split: Split) -> NDArray[np.int64]:
    """Return the indices of a split's samples in the order of their names, or their own where they have none."""
    names: Sequence[str] | None = getattr(split, "names", None)
    return np.arange(len(split)) if names is None else by_name(names)


def _listing(split: Split, order: NDArray[np.int64]) -> Listing | None:
    names: Sequence[str] | None = getattr(split, "names", None)
    if names is None:
        return None
    sizes: Sequence[int] | None = getattr(split, "sizes", None)
    labels = split.labels.cpu().numpy()[order]
    return Listing(
        names=taken(names, order),
        labels=array("q", labels.tobytes()),
        sizes=None if sizes is None else array("q", map(int, taken(sizes, order))),
    )


def _known_by(split: Split, listing: Listing | None, places: NDArray[np.int64]) -> tuple[str, _Content]:
    """Return what a split's images are known by, in words and as what the digest is over, in the order of the names.

    Of a split that is not in memory some images are read, and not in a thread, where it may not like to be read.
    """
    if listing is not None and listing.sizes is not None:
        return "names and sizes", [listing.names, listing.sizes]
    names: Sequence[str] | None = getattr(split, "names", None)
    order = torch.from_numpy(places)
    before = "" if names is None else "names and "
    if isinstance(split, TensorImages):
        return f"{before}pixels", split.images if names is None else split.images[order.to(split.images.device)]
    some = order[torch.arange(_SAMPLE) * len(order) // _SAMPLE] if len(order) > _SAMPLE else order
    return f"{before}pixels of {_SAMPLE}", split.batch(some.to(split.labels.device))[0]


def _identity(
    labels: Tensor,
    listing: Listing | None,
    known_by: str,
    images: _Content,
    num_classes: int,
    weights: list[Sequence[Any]],
) -> SplitIdentity:
    plain = listing is None and not weights
    return SplitIdentity(
        counts=tuple(torch.bincount(labels, minlength=num_classes).tolist()),
        known_by=known_by,
        labels_sha256=_sha256(labels if plain else [*_named(labels, listing), *weights]),
        images_sha256=_sha256(images),
    )


def _named(labels: Tensor, listing: Listing | None) -> list[Sequence[Any]]:
    return [array("q", labels.numpy().tobytes())] if listing is None else [listing.names, listing.labels]


def _weights(split: Split, order: NDArray[np.int64]) -> list[Sequence[Any]]:
    """Return the weights of the samples in the order of their names, as the one item of a list; nothing for none."""
    weights = weights_of(split)
    return [] if weights is None else [array("d", weights.cpu().numpy()[order].tobytes())]


def _sha256(content: _Content) -> str:
    """Return the SHA-256 of rows as JSON, or of a tensor: its type, its shape but for its length, and its elements."""
    if not isinstance(content, Tensor):
        return json_sha256(content)
    found = hashlib.sha256(f"{content.dtype} {list(content.shape[1:])}\n".encode())
    for part in torch.split(content, _AT_ONCE):
        found.update(part.cpu().contiguous().numpy().data)
    return found.hexdigest()
