"""What is wrong with a dataset, or may be: told from a look at every image of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from zoo.data.dataset import Dataset
from zoo.data.likeness import Likenesses
from zoo.data.looking import Looks, look

FEW = 10
"""Training images of a class below which little can be learnt of it."""
MOST = 0.95
"""The share of one class above which an accuracy says nothing."""
SEVERITIES = ("damaged", "falsifies", "doubtful")
"""How bad a finding is: an image cannot be read; a result would be wrong; somebody should have a look."""

_SMALL, _LONG = 0.25, 4.0  # of the median shorter side; of the shorter side


@dataclass(frozen=True)
class Finding:
    """One kind of thing that was found.

    Attributes:
        kind: What: ``"unreadable"``, ``"leakage"``, ``"look-alike leakage"``, ``"two classes"``, ``"copies"``,
            ``"look-alikes"``, ``"few images"``, ``"untested"``, ``"one class"``, ``"names alike"`` or ``"odd sizes"``.
        severity: One of `SEVERITIES`.
        summary: A line that says how many and what follows.
        items: What it is about, images or classes: each a group of texts that belong together.
        joint: What stands between these in a line.
    """

    kind: str
    severity: str
    summary: str
    items: Sequence[Sequence[str]]
    joint: str = " and "

    @property
    def notice(self) -> str:
        """What is told of it in a line, the first of what it is about by name."""
        return f"{self.summary}: {self.joint.join(self.items[0])}{', ...' if len(self.items) > 1 else ''}"


def named_splits(dataset: Dataset) -> Mapping[str, str]:
    """Return how messages call the splits that there are, by their attributes."""
    names = {"train": "training", "test": "test", "validation": "validation"}
    return {part: name for part, name in names.items() if getattr(dataset, part) is not None}


def findings(dataset: Dataset) -> list[Finding]:
    """Return what is wrong with *dataset*, the worst first. Every image is read."""
    splits = {part: getattr(dataset, part) for part in named_splits(dataset)}
    likenesses = Likenesses(sum(map(len, splits.values())))
    starts = dict(zip(splits, accumulate(map(len, splits.values()), initial=0), strict=False))
    looks = {part: look(split, part, likenesses, starts[part]) for part, split in splits.items()}
    counts = {part: np.bincount(seen.labels, minlength=dataset.num_classes).tolist() for part, seen in looks.items()}
    found = [
        *_unreadable(looks),
        *_equal_bytes(looks, dataset.classes),
        *_look_alikes(looks, likenesses),
        *class_findings(counts, dataset.classes),
        *_odd_sizes(looks),
    ]
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


def class_findings(counts: Mapping[str, Sequence[int]], classes: Sequence[str]) -> Iterator[Finding]:
    """Yield what the number of images of each class, by split, gives reason to say."""
    few = [(name, f"{count:,}") for name, count in zip(classes, counts["train"], strict=True) if count < FEW]
    if few:
        yield Finding(
            "few images",
            "doubtful",
            f"{_some(len(few), 'class has', 'classes have')} fewer than {FEW} training images",
            few,
            ": ",
        )
    untested = [(name,) for name, count in zip(classes, counts["test"], strict=True) if not count]
    if untested:
        yield Finding(
            "untested", "doubtful", f"{_some(len(untested), 'class has', 'classes have')} no test image", untested
        )
    alike = defaultdict(list)
    for name in classes:
        alike[" ".join(name.casefold().replace("_", " ").split())].append(name)
    if groups := [tuple(map(repr, names)) for names in alike.values() if len(names) > 1]:
        count = sum(map(len, groups))
        summary = f"{count:,} classes have names that differ in case, spaces or underscores alone"
        yield Finding("names alike", "doubtful", summary, groups)
    for part, numbers in counts.items():
        if max(numbers) > MOST * sum(numbers):
            name = classes[int(np.argmax(numbers))]
            share = 100 * max(numbers) / sum(numbers)
            yield Finding(
                "one class",
                "doubtful",
                f"{share:.1f} % of the {part} images are {name!r}: whoever says that of every image is as often right; "
                "judge by balanced accuracy (--select balanced)",
                [(part, name)],
            )


def leakage(groups: Sequence[Sequence[str]]) -> Finding:
    """Return the finding of images that several splits have, each group the places of one."""
    count = len(groups)
    return Finding(
        "leakage",
        "falsifies",
        f"{_some(count, 'image is', 'images are')} in two splits, byte for byte: what was learnt by heart would count "
        "as recognised",
        groups,
    )


def _unreadable(looks: Mapping[str, Looks]) -> Iterator[Finding]:
    faults = [(seen.place(index), str(fault)) for seen in looks.values() for index, fault in seen.faults.items()]
    if faults:
        yield Finding("unreadable", "damaged", f"{_some(len(faults), 'image', 'images')} cannot be read", faults)


def _equal_bytes(looks: Mapping[str, Looks], classes: Sequence[str]) -> Iterator[Finding]:
    """Yield images with equal bytes: in two splits, of two classes, or simply twice."""
    groups: dict[bytes, list[tuple[str, int]]] = defaultdict(list)
    for part, seen in looks.items():
        for index in range(len(seen)):
            if index not in seen.faults:
                groups[seen.digests[index].tobytes()].append((part, index))
    kinds: dict[str, list[list[tuple[str, int]]]] = {"across": [], "torn": [], "copies": []}
    for group in groups.values():
        parts, labels = {part for part, _ in group}, {int(looks[part].labels[index]) for part, index in group}
        if len(parts) > 1:
            kinds["across"].append(group)
        if len(labels) > 1:
            kinds["torn"].append(group)
        if len(group) > 1 and len(parts) == len(labels) == 1:
            kinds["copies"].append(group)
    across, torn, copies = kinds.values()
    if across:
        yield leakage([_places(looks, group) for group in across])
    if torn:
        named = [
            [f"{looks[part].place(index)} ({classes[looks[part].labels[index]]})" for part, index in group]
            for group in torn
        ]
        what = f"{_some(len(torn), 'image has', 'images have')} two classes, byte for byte: one of them is wrong"
        yield Finding("two classes", "falsifies", what, named)
    if copies:
        what = f"{_some(len(copies), 'image is', 'images are')} there more than once, byte for byte"
        yield Finding("copies", "doubtful", what, [_places(looks, group) for group in copies])


def _look_alikes(looks: Mapping[str, Looks], likenesses: Likenesses) -> Iterator[Finding]:
    """Yield pictures that are alike but not equal: of another size or quality, or the next frame of a film."""
    places = [(part, index) for part, seen in looks.items() for index in range(len(seen))]
    digests = np.concatenate([seen.digests for seen in looks.values()])
    pairs = [[places[i], places[j]] for i, j in likenesses.pairs() if (digests[i] != digests[j]).any()]
    across = [pair for pair in pairs if pair[0][0] != pair[1][0]]
    within = [pair for pair in pairs if pair[0][0] == pair[1][0]]
    if across:
        pairs_look = _some(len(across), "pair of pictures looks", "pairs of pictures look")
        what = f"{pairs_look} the same in two splits: if they are copies, the result would be wrong"
        yield Finding("look-alike leakage", "doubtful", what, [_places(looks, pair) for pair in across])
    if within:
        what = f"{_some(len(within), 'pair of pictures looks', 'pairs of pictures look')} the same within a split"
        yield Finding("look-alikes", "doubtful", what, [_places(looks, pair) for pair in within])


def _odd_sizes(looks: Mapping[str, Looks]) -> Iterator[Finding]:
    """Yield pictures that are far smaller than most, or far longer than wide where most are not."""
    sides = np.concatenate([seen.sides for seen in looks.values()])
    places = [(seen, index) for seen in looks.values() for index in range(len(seen))]
    shorter, longer = sides.min(1), sides.max(1)
    known = shorter > 0
    if not known.any():
        return
    usual, aspect = np.median(shorter[known]), np.median(longer[known] / shorter[known])
    small = known & (shorter < _SMALL * usual)
    long = known & (longer > max(_LONG, 2 * aspect) * shorter)
    odd = [
        (seen.place(index), f"{sides[row][0]} x {sides[row][1]}")
        for row, (seen, index) in enumerate(places)
        if small[row] or long[row]
    ]
    if odd:
        pictures = _some(len(odd), "picture has", "pictures have")
        what = f"{pictures} an odd size; the usual shorter side is {usual:.0f} pixels"
        yield Finding("odd sizes", "doubtful", what, odd)


def _places(looks: Mapping[str, Looks], group: Sequence[tuple[str, int]]) -> list[str]:
    return [looks[part].place(index) for part, index in group]


def _some(count: int, one: str, several: str) -> str:
    return f"{count:,} {one if count == 1 else several}"
