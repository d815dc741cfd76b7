"""Which images are held out in each part of a cross-validation."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor

from zoo.data.dataset import Split
from zoo.data.ranking import by_share, name_shares
from zoo.errors import UsageError

STAYS = -1
"""The fold of an image that is never held out."""


def hold_out_fold(
    split: Split, number: int, count: int, seed: int, groups: Sequence[str] | None = None
) -> tuple[Tensor, Tensor]:
    """Choose the images of one fold; the K folds of a set hold out every image once, but those that `folds_of` keeps.

    Args:
        split: The training images, N in all.
        number: Of the fold, from 1 to K.
        count: K, at least 2.
        seed: The folds are a pure function of the names, labels and groups, of K and the seed.
        groups: N texts, the same for images that may not be divided; an empty one for an image by itself.

    Returns:
        The indices that stay and those held out, both int64, ascending, on the CPU.

    Raises:
        UsageError: If the images cannot be divided so.
    """
    held = folds_of(split, count, seed, groups) == number - 1
    if not held.any():
        raise UsageError(f"fold {number} of {count} would hold out no image; give fewer folds")
    return (~held).nonzero().squeeze(1), held.nonzero().squeeze(1)


def folds_of(split: Split, count: int, seed: int, groups: Sequence[str] | None = None) -> Tensor:
    """Return the fold of each image, int64 (N,), each class in proportion.

    What alone has a class, be it an image or a group, is never held out, as nothing could learn that class.

    Args:
        split: The images, N in all.
        count: K folds, numbered from 0.
        seed: Of their choice.
        groups: As of `hold_out_fold`.

    Raises:
        UsageError: If groups of several classes cannot be divided so that each class is left with an image to learn.
    """
    labels = split.labels.cpu()
    order = _order(split, labels, seed)
    if groups is None or not any(groups):
        return _dealt(labels, order, count)
    return _by_group(labels, order, count, [group or f"\0{place}" for place, group in enumerate(groups)])


def _order(split: Split, labels: Tensor, seed: int) -> Tensor:
    """Return the images class by class, within a class at random; by their names where they have such."""
    names: Sequence[str] | None = getattr(split, "names", None)
    if names is None:
        shuffled = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    else:
        shuffled = torch.from_numpy(by_share(names, name_shares(names, seed, "fold")))
    return shuffled[torch.sort(labels[shuffled], stable=True).indices]


def _dealt(labels: Tensor, order: Tensor, count: int) -> Tensor:
    """Deal the images out one by one, so that neither folds nor a class's parts of them differ by more than one."""
    folds = torch.full_like(labels, STAYS)
    dealt = order[labels.bincount()[labels[order]] > 1]
    folds[dealt] = torch.arange(len(dealt)) % count
    return folds


def _by_group(labels: Tensor, order: Tensor, count: int, groups: Sequence[str]) -> Tensor:
    """Give group after group, the largest and most one-sided first, to the fold that has least of its classes."""
    classes = labels.tolist()
    members: dict[str, list[int]] = defaultdict(list)
    for place in order.tolist():
        members[groups[place]].append(place)
    total = Counter(classes)
    counts = {group: Counter(classes[place] for place in places) for group, places in members.items()}
    having = Counter(label for found in counts.values() for label in found)
    folds = torch.full_like(labels, STAYS)
    held: list[Counter[int]] = [Counter() for _ in range(count)]
    for group in sorted(members, key=lambda group: -_weight(counts[group], total)):  # stable: equal ones stay in order
        own = counts[group]
        if any(having[label] == 1 for label in own):
            continue
        chosen = min(
            range(count),
            key=lambda fold: (
                sum(held[fold][label] * images / total[label] for label, images in own.items()),
                held[fold].total(),
            ),
        )
        held[chosen] += own
        folds[torch.tensor(members[group])] = chosen
    for fold, found in enumerate(held):
        if whole := [label for label, images in found.items() if images == total[label]]:
            raise UsageError(
                f"fold {fold + 1} of {count} would hold out every image of class {whole[0]}, as groups stay whole; "
                "give another number of folds or another --seed"
            )
    return folds


def _weight(own: Counter[int], total: Counter[int]) -> float:
    return sum((images / total[label]) ** 2 for label, images in own.items())
