"""How a dataset differs from what another was known by, in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from zoo.data.dataset import ImageFacts
from zoo.data.identity import DataIdentity, Listing, SplitIdentity

SHOWN = 3
"""How many files or classes are named, of each kind of change."""

_BRIEF = 80  # characters up to which all classes are told
_TITLES = {"train": "training images", "test": "test images", "validation": "validation images"}

Listings = Mapping[str, Listing | None]


class _File(NamedTuple):
    """A named sample's label, and the bytes of its file, None where there is none."""

    label: int
    size: int | None


_Files = Mapping[str, _File]


def changes(then: DataIdentity, now: DataIdentity, recorded: Callable[[], Listings], present: Listings) -> list[str]:
    """Return what differs between the data that were and those that are; nothing where they are the same.

    Args:
        then: What the data were known by.
        now: What they are known by now; the splits that are in both are compared.
        recorded: Returns the named samples that were, by split; called where a split differs.
        present: Those that are.

    Returns:
        A text for each thing that differs. Where the classes do, that alone: their labels mean other things. The
        statistics of the pixels are told only where nothing else explains them.
    """
    if then.facts.classes != now.facts.classes:
        return [_classes_changed(then.facts.classes, now.facts.classes)]
    shape = fact_changes(then.facts, now.facts, ("in_channels", "image_size"))
    splits = [name for name in now.splits if name in then.splits and _differ(then.splits[name], now.splits[name])]
    listed = recorded() if splits else {}
    for name in splits:
        found = _file_changes(listed.get(name), present.get(name), now.facts.classes)
        found = found or _count_changes(then.splits[name], now.splits[name], now.facts.classes)
        shape.append(f"{_TITLES[name]}: {', '.join(found)}")
    # The statistics are those of the training images: a test set may be the same while they are others.
    compared = "train" in now.splits or not then.splits
    return shape or (fact_changes(then.facts, now.facts, ("mean", "std")) if compared else [])


def fact_changes(then: ImageFacts, now: ImageFacts, names: Sequence[str]) -> list[str]:
    """Return the facts with these *names* that differ, in digits that do; sums in another order are no difference."""
    pairs = [(name, _as_tuple(getattr(then, name)), _as_tuple(getattr(now, name))) for name in names]
    return [
        f"{name} was {', '.join(before)} and is {', '.join(after)}"
        for name, old, new in pairs
        if not _alike(old, new)
        for before, after in [told_apart(old, new)]
    ]


def told_apart(old: Sequence[Any], new: Sequence[Any]) -> tuple[list[str], list[str]]:
    """Return two rows of numbers as texts: four digits, or as many as show that they differ."""
    for digits in range(4, 18):
        texts = [
            [f"{value:.{digits}g}" if isinstance(value, float) else str(value) for value in row] for row in (old, new)
        ]
        if texts[0] != texts[1]:
            break
    return texts[0], texts[1]


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _alike(old: Sequence[float], new: Sequence[float]) -> bool:
    return len(old) == len(new) and all(math.isclose(a, b, rel_tol=1e-6) for a, b in zip(old, new, strict=True))


def _differ(then: SplitIdentity, now: SplitIdentity) -> bool:
    """Whether two splits differ; where they are known by other things, as by a newer plugin's, their counts tell."""
    return then != now if then.known_by == now.known_by else then.counts != now.counts


def _classes_changed(then: Sequence[str], now: Sequence[str]) -> str:
    before, after = (", ".join(name if name.isprintable() else repr(name) for name in names) for names in (then, now))
    if max(len(before), len(after)) <= _BRIEF:
        return f"classes was {before} and is {after}"
    gone, new = (sorted(map(repr, set(a) - set(b))) for a, b in ((then, now), (now, then)))
    told = [_told(gone, "removed"), _told(new, "added")]
    return f"classes: {', '.join(filter(None, told)) or 'in another order'}"


def _file_changes(then: Listing | None, now: Listing | None, classes: Sequence[str]) -> list[str]:
    """Return what became of the files; nothing where there is no listing, or none that differs."""
    if then is None or now is None:
        return []
    before, after = _files(then), _files(now)
    stayed = sorted(before.keys() & after.keys())
    gone, new = ({name: files[name] for name in files.keys() - set(stayed)} for files in (before, after))
    renamed = _renamed(gone, new, before, after)
    changed = [(name, before[name], after[name]) for name in stayed if before[name] != after[name]]
    told = [
        _told([repr(name) for name in sorted(new.keys() - set(renamed.values()))], "added"),
        _told([repr(name) for name in sorted(gone.keys() - renamed.keys())], "removed"),
        _told([f"{old!r} to {name!r}" for old, name in sorted(renamed.items())], "renamed"),
        _told(
            [
                f"{name!r} from {classes[a.label]!r} to {classes[b.label]!r}"
                for name, a, b in changed
                if a.label != b.label
            ],
            "moved to another class",
        ),
        _told([f"{name!r} from {a.size} to {b.size} bytes" for name, a, b in changed if a.size != b.size], "changed"),
    ]
    return list(filter(None, told))


def _files(listing: Listing) -> dict[str, _File]:
    sizes: Sequence[int | None] = listing.sizes if listing.sizes is not None else [None] * len(listing.names)
    return {name: _File(label, size) for name, label, size in zip(listing.names, listing.labels, sizes, strict=True)}


def _renamed(gone: _Files, new: _Files, before: _Files, after: _Files) -> dict[str, str]:
    """Return the new names of the files that went by others.

    Two names mean one file where both end in the same and its size is the same, or where no other file had or has it.
    """
    pairs = _matched(_once(gone, _end_and_size), _once(new, _end_and_size))
    only = _matched(_once(before, _size), _once(after, _size))
    return pairs | {old: name for old, name in only.items() if old in gone and name in new}


def _end_and_size(name: str, file: _File) -> Hashable:
    return PurePosixPath(name).name, file.size


def _size(_: str, file: _File) -> Hashable:
    return file.size


def _once(files: _Files, key: Callable[[str, _File], Hashable]) -> dict[Hashable, str]:
    """Return the names by key, where one file alone has that key and its size is known."""
    found: dict[Hashable, list[str]] = {}
    for name, file in files.items():
        if file.size is not None:
            found.setdefault(key(name, file), []).append(name)
    return {value: names[0] for value, names in found.items() if len(names) == 1}


def _matched(old: Mapping[Hashable, str], new: Mapping[Hashable, str]) -> dict[str, str]:
    return {old[value]: new[value] for value in old.keys() & new.keys()}


def _count_changes(then: SplitIdentity, now: SplitIdentity, classes: Sequence[str]) -> list[str]:
    """Return what can be told without the files' names."""
    if then.counts != now.counts:
        counts = zip(classes, then.counts, now.counts, strict=True)
        texts = [f"{name!r} from {a:,} to {b:,}" for name, a, b in counts if a != b]
        return [f"were {sum(then.counts):,} and are {sum(now.counts):,} ({_first(texts)})"]
    kinds = [
        ("labels", then.labels_sha256 != now.labels_sha256),
        (now.known_by, then.images_sha256 != now.images_sha256),
    ]
    return [f"other {kind}" for kind, differs in kinds if differs]


def _told(texts: Sequence[str], what: str) -> str:
    """Return how many there are, and the first few; an empty text where there are none."""
    return f"{len(texts):,} {what} ({_first(texts)})" if texts else ""


def _first(texts: Sequence[str]) -> str:
    return ", ".join([*texts[:SHOWN], *(["..."] if len(texts) > SHOWN else [])])
