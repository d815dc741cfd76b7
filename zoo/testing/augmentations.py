"""What an augmentation must do."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.data.augmentation import Augmentation, Augmenter
from zoo.data.cutting import Cutting, takes_parts
from zoo.errors import PluginError
from zoo.registry import Entry
from zoo.testing.building import Case, augmentation
from zoo.testing.outcome import ContractError

_SAMPLES = 28
_CASES = (Case(5, 1, (28, 28)), Case(5, 3, (24, 32)))


def check_batches(entry: Entry) -> None:
    """Return finite inputs of the same shape, for grey and coloured images, and leave the given ones alone."""
    for case in _CASES:
        changes = augmentation(entry, case)
        inputs, targets = _fetch(case, torch.arange(_SAMPLES))
        kept = inputs.clone(), targets.clone()
        changed, soft = _augmenter(changes, case)(inputs, targets, 0, torch.arange(_SAMPLES))
        if not changed.isfinite().all():
            raise ContractError(
                entry,
                expected="finite inputs",
                seen=f"nan or infinity for images of {case}",
                mend="Look at divisions by sizes or sums that can be 0.",
            )
        if not (torch.equal(inputs, kept[0]) and torch.equal(targets, kept[1])):
            raise ContractError(
                entry,
                expected="the given inputs and targets as they were",
                seen="other values",
                mend="Return new tensors: mixing reads the same batch again.",
            )
        _check_targets(entry, changes, soft)


def check_purity(entry: Entry) -> None:
    """Change an image by (seed, epoch, index) alone: in any batch, of any size, alike."""
    case = _CASES[0]
    order = torch.randperm(_SAMPLES, generator=torch.Generator().manual_seed(0))
    whole = _augmented(entry, case, order)
    for size in range(1, 8):
        parts = [_augmented(entry, case, part) for part in torch.split(order, size)]
        if any(
            not torch.equal(one, torch.cat(others)) for one, others in zip(whole, zip(*parts, strict=True), strict=True)
        ):
            raise ContractError(
                entry,
                expected="an image changed alike in whichever batch it comes",
                seen=f"another result in batches of {size}",
                mend="Take all random numbers from draws, with the same calls for every batch, and other images from "
                "draws.partners(), never from the batch.",
            )


def check_variety(entry: Entry) -> None:
    """Change images, and in another way in another epoch."""
    case = _CASES[0]
    indices = torch.arange(_SAMPLES)
    augmenter = _augmenter(augmentation(entry, case), case)
    given = _fetch(case, indices)[0]
    first, second = (augmenter(*_fetch(case, indices), epoch, indices)[0] for epoch in (0, 1))
    if torch.equal(first, given) or torch.equal(first, second):
        raise ContractError(
            entry,
            expected="images that change, each epoch in another way",
            seen="the given ones" if torch.equal(first, given) else "the same in both epochs",
            mend="Take all random numbers from draws, and choose a default strength that does something.",
        )


def check_parts(entry: Entry) -> None:
    """Give each image's part, where only parts are enlarged, by (seed, epoch, index) alone and within the image."""
    case = _CASES[1]
    changes = augmentation(entry, case)
    if not takes_parts(changes):
        return
    cutting, order = Cutting(changes, 0, case.image_size), torch.arange(_SAMPLES)
    try:
        whole, parts = cutting(0, order), torch.cat([cutting(0, some) for some in torch.split(order, 3)])
    except PluginError as error:
        raise ContractError(
            entry,
            expected="parts within the image",
            seen=str(error),
            mend="Return what lies wholly within the image, or leave the method out.",
        ) from error
    if not torch.equal(whole, parts):
        raise ContractError(
            entry,
            expected="a box alike in whichever batch its image comes",
            seen="another in batches of 3",
            mend="Take all random numbers from draws, with the same calls for every batch.",
        )


def check_views(entry: Entry) -> None:
    """Show the same views of an image in any batch, the first the image itself, where it has views at all."""
    case = _CASES[0]
    views = getattr(augmentation(entry, case), "views", None)
    if views is None:
        return
    inputs, _ = _fetch(case, torch.arange(_SAMPLES))
    kept = inputs.clone()
    shown = list(views(inputs))
    wrong = None
    if not shown or not torch.equal(shown[0], kept) or not torch.equal(inputs, kept):
        wrong = "another first view, or the inputs changed"
    elif any((view.shape, view.dtype) != (kept.shape, kept.dtype) for view in shown):
        wrong = "another shape or type"
    elif any(not torch.equal(part, view[:3]) for part, view in zip(views(inputs[:3]), shown, strict=True)):
        wrong = "other views of an image in another batch"
    if wrong:
        raise ContractError(
            entry,
            expected="views of the inputs, alike in any batch, the first the inputs themselves",
            seen=wrong,
            mend="Return a list: the inputs, then new tensors of their shape, without random numbers.",
        )


def _check_targets(entry: Entry, changes: Augmentation, targets: Tensor) -> None:
    soft = targets.is_floating_point()
    if soft is not bool(getattr(changes, "soft_targets", False)):
        raise ContractError(
            entry,
            expected="soft_targets = True on an augmentation whose targets come out soft, and on no other",
            seen=f"{targets.dtype} targets {tuple(targets.shape)}",
            mend="Set the attribute on the callable that the builder returns.",
        )
    if soft and not torch.allclose(targets.sum(1), torch.ones(len(targets)), atol=1e-4):
        raise ContractError(
            entry,
            expected="soft targets whose rows have the sum 1",
            seen=f"sums from {targets.sum(1).min():.4g} to {targets.sum(1).max():.4g}",
            mend="Weigh two labels by share and 1 - share.",
        )


def _augmented(entry: Entry, case: Case, indices: Tensor) -> tuple[Tensor, Tensor]:
    return _augmenter(augmentation(entry, case), case)(*_fetch(case, indices), 0, indices)


def _augmenter(changes: Augmentation, case: Case) -> Augmenter:
    return Augmenter([changes], seed=0, num_samples=_SAMPLES, fetch=lambda _, indices: _fetch(case, indices))


def _fetch(case: Case, indices: Tensor) -> tuple[Tensor, Tensor]:
    """Return one fixed noisy image for each index, and its label."""
    generator = torch.Generator().manual_seed(4)
    images = torch.randn(_SAMPLES, case.in_channels, *case.image_size, generator=generator)
    return images[indices], indices % case.num_classes


CHECKS = {
    "keeps shapes, and leaves the given batch alone": check_batches,
    "changes an image alike in any batch": check_purity,
    "changes images, each epoch in another way": check_variety,
    "gives the parts that it enlarges alike in any batch": check_parts,
    "shows views that test-time augmentation can average over, if any": check_views,
}
