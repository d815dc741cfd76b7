"""Which images are set aside: by a hash of each one's own name, or each class in proportion where they have none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from zoo.data.dataset import Split
from zoo.data.ranking import Places, by_share, name_shares
from zoo.errors import UsageError

DEFAULT_VALIDATION = 5000


def choose_rule(rule: str, split: Split) -> str:
    """Return the rule by which images of *split* are held out.

    Args:
        rule: ``"name"``, ``"class"`` or ``"order"``, or ``"auto"``: by name where the images have names, else by class.
        split: The training images.

    Raises:
        UsageError: If images without names are to be told by them.
    """
    named = getattr(split, "names", None) is not None
    if rule == "name" and not named:
        raise UsageError("--split-by name needs images with names, which these have not; --split-by class needs none")
    if rule == "auto":
        return "name" if named else "class"
    return rule


def hold_out(split: Split, requested: float | None, seed: int, rule: str) -> tuple[Tensor, Tensor]:
    """Choose the validation images; no class loses its last image but by the rule ``"order"``.

    Args:
        split: The training images, N in all.
        requested: A whole number, a fraction below 1, or None: 5000 where that is at most a tenth, else a tenth.
        seed: The choice is a pure function of the names or labels, what is requested, and the seed.
        rule: ``"name"``: a fraction holds out the images whose hash is below it, whatever others there are; a number
            those with the lowest hashes, so that an added image moves one at most, and besides it the one that alone
            kept its class in training: no rule could keep every class, be exact and move less. ``"class"``: each class
            in proportion. ``"order"``: the same, but a class may lose all its images.

    Returns:
        The indices that stay and those held out, both int64, ascending, on the CPU.

    Raises:
        UsageError: If no image would be left to train on, or a class without one.
    """
    labels = split.labels.cpu()
    count = validation_count(len(labels), requested)
    if rule == "order":
        return _parts(_in_proportion(labels, count, seed))
    spare = _spare(labels, count, requested)
    if not spare:
        return _parts(torch.zeros(len(labels), dtype=torch.bool))
    if rule == "class":
        return _parts(_sparing(labels, min(count, spare), seed))
    ranking = _Ranking(_names(split), labels, seed, "validation")
    amount = _default(len(labels)) if requested is None else requested
    return _parts(ranking.below(amount) if amount < 1 else ranking.lowest(count))


def split_by_name(names: Sequence[str], labels: Tensor, fraction: float, seed: int) -> tuple[Tensor, Tensor]:
    """Set a test set aside of images that come without one, by a hash of each one's own name.

    An image is in the test set where its hash is below *fraction*, whatever other images there are: one that is added
    or removed moves no other, but for the one image that its class is left with on either side. A class of two images
    or more has at least one on both sides; one of a single image is trained on.

    Args:
        names: N texts, each an image's own, such as its path below the dataset's root, as POSIX text in NFC.
        labels: int64 (N,).
        fraction: In (0, 1).
        seed: The choice is a pure function of the names, the labels, the fraction and the seed.

    Returns:
        The indices of the training and of the test images, both int64, ascending.
    """
    return _parts(_Ranking(names, labels, seed, "test").below(fraction, every_class=True))


def validation_count(total: int, requested: float | None) -> int:
    """Return how many of *total* training images are held out; by name a fraction means as many on average.

    Args:
        total: Training images there are.
        requested: A whole number, a fraction below 1, or None: 5000 where that is at most a tenth, else a tenth.

    Raises:
        UsageError: If no image would be left to train on.
    """
    requested = _default(total) if requested is None else requested
    if requested < 1:
        return min(max(1, round(total * requested)), total - 1) if requested else 0
    count = int(requested)
    if count >= total:
        raise UsageError(
            f"--validation {requested} holds out {count} of {total} training images and leaves none to train on"
        )
    return count


def cap(split: Split, count: int, seed: int, rule: str) -> Tensor:
    """Return the indices, ascending, of *count* images: by name one of each class first, else in proportion."""
    labels = split.labels.cpu()
    if rule == "name":
        return _parts(_Ranking(_names(split), labels, seed, "limit").first(count))[1]
    return _parts(_in_proportion(labels, count, seed))[1]


def _default(total: int) -> float:
    return DEFAULT_VALIDATION if total >= 10 * DEFAULT_VALIDATION else 0.1


def _names(split: Split) -> Sequence[str]:
    names: Sequence[str] = getattr(split, "names")  # noqa: B009 - it is no part of the protocol
    return names


def _parts(held: Tensor) -> tuple[Tensor, Tensor]:
    return (~held).nonzero().squeeze(1), held.nonzero().squeeze(1)


def _spare(labels: Tensor, count: int, requested: float | None) -> int:
    """Return how many images can be held out while every class keeps one; 0 where none is to be.

    Raises:
        UsageError: If a number was requested, and it is more.
    """
    classes = int(labels.bincount().count_nonzero())
    spare = len(labels) - classes
    if requested is not None and requested >= 1 and count > spare:
        raise UsageError(
            f"--validation {requested} of {len(labels)} training images leaves a class without any; at most {spare} "
            f"can be held out, so that each of the {classes} classes keeps one"
        )
    return spare if count else 0


def _in_proportion(labels: Tensor, count: int, seed: int) -> Tensor:
    """Return which samples are chosen, bool (N,): *count* in all, each class in proportion to its share."""
    by_class = _by_class(labels, seed)
    # Walking by_class at even steps takes from each class its share, rounded, and exactly count in all.
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    steps = (torch.arange(count, dtype=torch.float64) + 0.5) * (len(labels) / max(count, 1))
    chosen[by_class[steps.long()]] = True
    return chosen


def _by_class(labels: Tensor, seed: int) -> Tensor:
    shuffled = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    return shuffled[torch.sort(labels[shuffled], stable=True).indices]


def _sparing(labels: Tensor, count: int, seed: int) -> Tensor:
    """Return `_in_proportion`, but where that is all of a class, its last image stays, and another class gives one."""
    chosen, by_class = _in_proportion(labels, count, seed), _by_class(labels, seed)
    kept = torch.bincount(labels[~chosen], minlength=int(labels.max()) + 1)
    last = dict(zip(labels[by_class].tolist(), by_class.tolist(), strict=True))
    for label in sorted(label for label in last if not kept[label]):
        chosen[last[label]] = False
        kept[label] += 1
    for _ in range(count - int(chosen.sum())):
        # The class that keeps most can give one best.
        giver = by_class[(labels[by_class] == kept.argmax()) & ~chosen[by_class]][0]
        chosen[giver] = True
        kept[labels[giver]] -= 1
    return chosen


class _Ranking:
    """The images in the order of their hashes.

    Attributes:
        labels: N numbers.
        order: The N indices by their hashes, and those of equal hashes by their names, whatever order they came in.
        shares: N numbers in [0, 1), the hashes, in that order.
        last: Whether each index in that order is the one of its class that comes last.
    """

    def __init__(self, names: Sequence[str], labels: Tensor, seed: int, purpose: str) -> None:
        shares = name_shares(names, seed, purpose)
        self.labels = labels.numpy()
        self.order = by_share(names, shares)
        self.shares = shares[self.order]
        self.last = np.zeros(len(self.order), np.bool_)
        self.last[len(self.order) - 1 - _firsts(self.labels[self.order][::-1])] = True

    def below(self, fraction: float, *, every_class: bool = False) -> Tensor:
        """Return which images have a hash below *fraction*, bool (N,), but for the last of each class.

        Where that is none at all, or with *every_class* none of a class, the lowest that is not the last is chosen.
        """
        spare = self.order[~self.last]
        chosen = self.shares[~self.last] < fraction
        chosen[_firsts(self.labels[spare]) if every_class else slice(1)] = True
        return self._marked(spare[chosen])

    def lowest(self, count: int) -> Tensor:
        """Return which images have the *count* lowest hashes, bool (N,), leaving out the last of each class."""
        return self._marked(self.order[~self.last][:count])

    def first(self, count: int) -> Tensor:
        """Return *count* images by their hashes, bool (N,), one of each class before a second of any."""
        return self._marked(np.concatenate([self.order[self.last], self.order[~self.last]])[:count])

    def _marked(self, chosen: Places) -> Tensor:
        marked = torch.zeros(len(self.labels), dtype=torch.bool)
        marked[torch.from_numpy(chosen)] = True
        return marked


def _firsts(labels: Places) -> Places:
    """Return where each of the classes that there are comes first."""
    return np.unique(labels, return_index=True)[1]
