"""How data differ from what a run began with, in words that name the files."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_images import named_dataset, small_dataset, small_split

from zoo.data import Dataset, ImageFacts, TensorImages
from zoo.data.changes import changes, fact_changes, told_apart
from zoo.data.identity import SPLITS, Identification

FACTS = ImageFacts(("a", "b"), (0.1306604761,), (0.25,), 1, (8, 8))


def told(then: Dataset, now: Dataset, *, listed: bool = True, splits: tuple[str, ...] = SPLITS) -> list[str]:
    before, after = Identification(then), Identification(now)
    return changes(before.of(*SPLITS), after.of(*splits), lambda: before.listings if listed else {}, after.listings)


def files(**named: tuple[int, int]) -> Dataset:
    """A dataset of training files, each with its label and size; underscores stand for slashes."""
    names = [name.replace("_", "/") for name in named]
    labels, sizes = zip(*named.values(), strict=True)
    images = torch.zeros(len(names), 1, 8, 8, dtype=torch.uint8)
    return replace(small_dataset(), train=TensorImages(images, torch.tensor(labels), names=names, sizes=sizes))


BEFORE = {"cat_1": (0, 10), "cat_2": (0, 20), "dog_1": (1, 30), "dog_2": (1, 40)}


def _without(name: str) -> dict[str, tuple[int, int]]:
    return {other: known for other, known in BEFORE.items() if other != name}


@pytest.mark.parametrize(
    ("now", "text"),
    [
        ({**BEFORE, "cat_3": (0, 5)}, "1 added ('cat/3')"),
        (_without("cat_2"), "1 removed ('cat/2')"),
        (
            {"cat_9" if name == "cat_1" else name: known for name, known in BEFORE.items()},
            "1 renamed ('cat/1' to 'cat/9')",
        ),
        ({**BEFORE, "dog_1": (1, 31)}, "1 changed ('dog/1' from 30 to 31 bytes)"),
        ({**BEFORE, "dog_1": (0, 30)}, "1 moved to another class ('dog/1' from 'class 1' to 'class 0')"),
        (
            {**_without("dog_2"), "cat_3": (0, 1), "cat_4": (0, 2)},
            "2 added ('cat/3', 'cat/4'), 1 removed ('dog/2')",
        ),
        (
            {**BEFORE, **{f"cat_{number}": (0, number) for number in range(3, 8)}},
            "5 added ('cat/3', 'cat/4', 'cat/5', ...)",
        ),
    ],
)
def test_files_are_named_by_what_became_of_them(now: dict[str, tuple[int, int]], text: str):
    """The first few, and how many there are."""
    assert told(files(**BEFORE), files(**now)) == [f"training images: {text}"]


def test_a_file_of_a_common_size_is_not_called_renamed():
    """Two bitmaps of one size are as likely two images; one that kept the end of its name is the same."""
    before = {"a_1": (0, 9), "a_2": (0, 9), "b_3": (1, 9)}
    gone = told(files(**before), files(a_1=(0, 9), a_4=(0, 9), b_3=(1, 9)))
    assert gone == ["training images: 1 added ('a/4'), 1 removed ('a/2')"]
    moved = told(files(**before), files(a_1=(0, 9), b_2=(1, 9), b_3=(1, 9)))
    assert moved == ["training images: 1 renamed ('a/2' to 'b/2')"]


@given(
    before=st.dictionaries(st.text(max_size=4), st.integers(0, 5), min_size=1, max_size=8),
    after=st.dictionaries(st.text(max_size=4), st.integers(0, 5), min_size=1, max_size=8),
)
def test_something_is_told_exactly_where_something_differs(before: dict[str, int], after: dict[str, int]):
    """Whatever the names and sizes are; also where only the digests are left."""

    def named(listed: dict[str, int]) -> Dataset:
        images, labels = (
            torch.zeros(len(listed), 1, 8, 8, dtype=torch.uint8),
            torch.zeros(len(listed), dtype=torch.int64),
        )
        split = TensorImages(images, labels, names=list(listed), sizes=list(listed.values()))
        return replace(small_dataset(), train=split)

    for listed in (True, False):
        assert bool(told(named(before), named(after), listed=listed)) == (before != after)


def test_without_names_counts_labels_and_pixels_are_told():
    """As much as is known."""
    data = small_dataset()
    fewer = replace(data, train=small_split(59))
    assert told(data, fewer) == ["training images: were 60 and are 59 ('class 2' from 20 to 19)"]
    split = small_split(60)
    swapped = split.labels.flip(0)
    assert told(data, replace(data, train=TensorImages(split.images, swapped))) == ["training images: other labels"]
    assert told(data, replace(data, test=small_split(20, seed=2))) == ["test images: other pixels"]


def test_a_lost_listing_costs_the_names_alone():
    """It is still told that the files are others."""
    assert told(files(**BEFORE), files(**{**BEFORE, "dog_1": (1, 31)}), listed=False) == [
        "training images: other names and sizes"
    ]


def test_a_split_that_is_not_asked_for_is_not_compared():
    """A test set can be measured while the training images, and so their mean, are others."""
    data = small_dataset()
    other = replace(data, train=small_split(57), mean=[0.4])
    assert told(data, other, splits=("test",)) == []
    assert told(data, other)


def test_where_the_classes_differ_nothing_else_is_told():
    """Every label means something else then."""
    data = small_dataset()
    assert told(data, replace(data, classes=["class 0", "class 1", "emu"], train=small_split(59))) == [
        "classes was class 0, class 1, class 2 and is class 0, class 1, emu"
    ]
    assert told(data, replace(data, classes=["a", "b", "c\nd"])) == [
        "classes was class 0, class 1, class 2 and is a, b, 'c\\nd'"
    ]


def test_of_many_classes_those_that_came_and_went_are_told():
    """And that they only changed places."""
    many = [f"class {number:02}" for number in range(60)]
    data = replace(small_dataset(), classes=many)
    assert told(data, replace(data, classes=[*many[1:], "zebu"])) == [
        "classes: 1 removed ('class 00'), 1 added ('zebu')"
    ]
    assert told(data, replace(data, classes=many[::-1])) == ["classes: in another order"]


def test_data_known_by_other_things_are_compared_by_their_counts():
    """A plugin that learns to name its files does not end the runs that began before."""
    data = named_dataset()
    assert told(data, small_dataset()) == []
    assert told(data, replace(small_dataset(), train=small_split(59)))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"mean": (0.2,)}, ["mean was 0.1307 and is 0.2"]),
        ({"mean": (0.13071,)}, ["mean was 0.13066 and is 0.13071"]),
        ({"mean": (0.1306604762,)}, []),
        ({"image_size": (8, 9)}, ["image_size was 8, 8 and is 8, 9"]),
        (
            {"in_channels": 3, "std": (0.25, 0.1, 0.1)},
            ["std was 0.25 and is 0.25, 0.1, 0.1", "in_channels was 1 and is 3"],
        ),
    ],
)
def test_facts_are_told_with_digits_that_differ(change: dict[str, Any], told: list[str]):
    """And sums that were made in another order are the same."""
    facts = ("mean", "std", "in_channels", "image_size")
    assert fact_changes(FACTS, replace(FACTS, **change), facts) == told


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_numbers_that_differ_are_never_told_alike(old: float, new: float):
    """Four digits, or as many as it takes."""
    before, after = told_apart((old,), (new,))
    assert (before == after) == (old == new)
