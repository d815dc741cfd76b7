"""Folds: every image once, each class in proportion, groups whole."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zoo.data import TensorImages, hold_out_fold
from zoo.data.folds import STAYS, folds_of
from zoo.errors import UsageError

LABELS = st.lists(st.integers(0, 4), min_size=2, max_size=60)


def split(labels: list[int], names: list[str] | None = None) -> TensorImages:
    return TensorImages(torch.zeros(len(labels), 1, 1, 1, dtype=torch.uint8), torch.tensor(labels), names=names)


@given(LABELS, st.integers(2, 7), st.integers(0, 3), st.booleans())
def test_every_image_is_held_out_once_and_each_class_in_proportion(
    labels: list[int], count: int, seed: int, named: bool
):
    """Only the single image of a class never is."""
    images = split(labels, [f"{place}.png" for place in range(len(labels))] if named else None)
    folds = folds_of(images, count, seed)
    single = [label for label, images_of in Counter(labels).items() if images_of == 1]
    assert [fold == STAYS for fold in folds.tolist()] == [label in single for label in labels]
    dealt = folds[folds != STAYS]
    sizes = torch.bincount(dealt, minlength=count)
    assert sizes.max() - sizes.min() <= 1
    for label in set(labels) - set(single):
        own = torch.bincount(folds[torch.tensor(labels) == label], minlength=count)
        assert own.max() - own.min() <= 1
        assert own.max() < own.sum()  # some image of it is always learnt


@given(st.permutations([f"{place}.png" for place in range(12)]))
def test_folds_of_named_images_hang_on_no_order(names: list[str]):
    """A listing of the same files in another order has the same folds."""
    labels = {f"{place}.png": place % 3 for place in range(12)}
    found = folds_of(split([labels[name] for name in names], names), 3, 1).tolist()
    ordered = folds_of(split([labels[name] for name in labels], list(labels)), 3, 1).tolist()
    assert dict(zip(names, found, strict=True)) == dict(zip(labels, ordered, strict=True))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9)), min_size=2, max_size=60), st.integers(2, 4))
def test_a_group_stays_whole_and_a_class_that_one_alone_has_is_learnt(images: list[tuple[int, int]], count: int):
    """Groups of one class each, as of patients with one diagnosis: the class and a number make the group."""
    groups = [f"{label}-{number}" for label, number in images]
    folds = folds_of(split([label for label, _ in images]), count, 0, groups).tolist()
    assert len({*zip(groups, folds, strict=True)}) == len(set(groups))
    for label in {label for label, _ in images}:
        own = {(group, fold) for group, fold in zip(groups, folds, strict=True) if group.startswith(f"{label}-")}
        assert ({fold for _, fold in own} == {STAYS}) == (len(own) == 1)
        if len(own) > 1:
            assert len({fold for _, fold in own}) == min(count, len(own))


def test_groups_of_several_classes_fill_the_folds_evenly():
    """Ten films with both classes in other shares: no fold has much more of either than its part."""
    labels = [int(image < film) for film in range(10) for image in range(10)]
    groups = [f"film {film}" for film in range(10) for _ in range(10)]
    folds = torch.tensor(folds_of(split(labels), 5, 0, groups).tolist())
    positives = [int(torch.tensor(labels)[folds == fold].sum()) for fold in range(5)]
    assert torch.bincount(folds).tolist() == [20] * 5
    assert max(positives) - min(positives) <= 5  # 9 where they are taken as they come


def test_an_empty_group_is_an_image_by_itself():
    """Two such are not one group."""
    folds = folds_of(split([0, 0, 1, 1]), 2, 0, ["", "", "a", "b"]).tolist()
    assert sorted(folds[:2]) == sorted(folds[2:]) == [0, 1]


def test_what_cannot_be_divided_is_told():
    """More folds than images."""
    with pytest.raises(UsageError, match="fold 5 of 5 would hold out no image; give fewer folds"):
        hold_out_fold(split([0, 0, 1, 1]), 5, 5, 0)
