"""What can be said of files in a second, before a run: from their names, sizes and counts, and the bytes of some."""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from zoo.data.dataset import Dataset
from zoo.data.encoded import EncodedImages, opened
from zoo.data.findings import Finding, class_findings, leakage, named_splits
from zoo.data.identity import Identification, Listing
from zoo.errors import ZooError

SECONDS = 1.0
"""How long files are hashed at most."""

_PIECE = 1 << 20
_MANY = 10_000  # files of equal size, beyond which their names are not looked at: it would take the second
_Place = tuple[str, int]  # a split, and a place in its listing
_Group = Mapping[str, NDArray[np.int64]]  # by split, places in its listing


def quick_findings(dataset: Dataset, identity: Identification, seconds: float = SECONDS) -> list[Finding]:
    """Return what may be wrong with a dataset of files; nothing for any other.

    Files of equal size in two splits are hashed, those of equal names first, as far as that goes in the time.

    Args:
        dataset: As its builder returned it: its images still encoded.
        identity: What it is known by: its files are not listed again.
        seconds: How long files may be hashed.
    """
    listings = {part: listing for part, listing in identity.listings.items() if listing and listing.sizes is not None}
    parts = named_splits(dataset)
    if listings.keys() != parts.keys() or not all(isinstance(getattr(dataset, p), EncodedImages) for p in parts):
        return []
    until = time.monotonic() + seconds
    counts = {
        part: np.bincount(np.asarray(listing.labels), minlength=dataset.num_classes).tolist()
        for part, listing in listings.items()
    }
    found = list(class_findings(counts, dataset.classes))
    groups = list(_equal(dataset, identity, listings, until))
    return [*([leakage(groups)] if groups else []), *found]


def _equal(
    dataset: Dataset, identity: Identification, listings: Mapping[str, Listing], until: float
) -> Iterator[list[str]]:
    """Yield the paths of the files that are equal and in several splits."""
    for group in _equally_large(listings):
        by_digest: dict[bytes, list[_Place]] = defaultdict(list)
        for part, place in _members(group):
            split = getattr(dataset, part)
            index = int(identity.orders[part][place])
            try:
                with opened(split.source, index) as file:
                    digest = _digest(file, until)
            except (OSError, ZooError):
                continue  # whoever reads it for the run will tell
            if digest is None:
                return
            by_digest[digest].append((part, index))
        for same in by_digest.values():
            if len({part for part, _ in same}) > 1:
                yield [getattr(dataset, part).source.place(index) for part, index in same]


def _equally_large(listings: Mapping[str, Listing]) -> list[_Group]:
    """Return the files of equal size that are in several splits, those with one name and then small groups first."""
    sizes = {part: np.asarray(listing.sizes) for part, listing in listings.items()}
    distinct, counts = np.unique(np.concatenate([np.unique(values) for values in sizes.values()]), return_counts=True)
    groups: dict[int, dict[str, NDArray[np.int64]]] = defaultdict(dict)
    for part, values in sizes.items():
        places = np.flatnonzero(np.isin(values, distinct[counts > 1]))
        ranked = places[np.argsort(values[places], kind="stable")]
        edges = np.flatnonzero(np.diff(values[ranked])) + 1
        for some in np.split(ranked, edges) if len(ranked) else ():
            groups[int(values[some[0]])][part] = some

    def rank(group: _Group) -> tuple[bool, int]:
        count = sum(map(len, group.values()))
        if count > _MANY:
            return True, count
        names = {listings[part].names[place].rpartition("/")[2] for part, place in _members(group)}
        return len(names) == count, count

    return sorted(groups.values(), key=rank)


def _members(group: _Group) -> Iterator[_Place]:
    return ((part, int(place)) for part, places in group.items() for place in places)


def _digest(file: BinaryIO, until: float) -> bytes | None:
    """Return a file's digest, or None where the time is over before its end."""
    found = hashlib.blake2b(digest_size=16)
    while piece := file.read(_PIECE):
        if time.monotonic() > until:
            return None
        found.update(piece)
    return found.digest()
