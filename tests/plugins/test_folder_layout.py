"""Which folders are splits and which are classes, told by what lies in them and by their names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from planted_folders import Tree, outcome, planted
from zoo_folder.layout import Splits
from zoo_folder.naming import role_of


class Row(NamedTuple):
    """A folder, what is right for it, and why.

    Attributes:
        why: The reason.
        tree: What lies there.
        right: The counts by class of the training and the test images, and of a validation set where there is one; or
            the classes alone, where zoo splits them; or
            what a refusal says.
        said: What somebody said of the folders.
    """

    why: str
    tree: Tree
    right: tuple[dict[str, int], ...] | list[str] | str
    said: Splits = Splits()


NAMES = {
    "train": ("train", "training"),
    "test": ("test", "testing"),
    "validation": ("val", "valid", "validation", "dev"),
    "evaluation": ("eval", "evaluation"),
}
DRESSES = ("{}", "{}_set", "{}set", "images_{}", "{}-images", "{}2017", "my {} data", "pets_{}", "seg-{}-v2")
CASES = (str, str.upper, str.title)
PETS = {"cat": 2, "dog": 2}
IN_BOTH = (PETS, PETS)


def within(folder: str, classes: Tree) -> dict[str, int]:
    return {f"{folder}/{name}": count for name, count in classes.items()}


def rows_of_names() -> Iterator[Row]:
    """Every name of a split, in every dress, as a split and as a class."""
    for part, names in NAMES.items():
        for name in names:
            for dress in DRESSES:
                for case in CASES if dress in ("{}", "{}_set") else (str,):
                    yield from rows_of_name(part, case(dress.format(name)), case(dress.format("train")))


def rows_of_name(part: str, name: str, train: str) -> Iterator[Row]:
    other = (
        train.replace("train", "test").replace("TRAIN", "TEST").replace("Train", "Test") if part == "train" else train
    )
    alone = {name: 3, "bus": 3}
    deeper = {name: 3, f"{name}/old": 2, "bus": 3, "car": 3}
    mixed = {**within(name, PETS), "bus": 3}
    if part == "train":
        yield Row(
            "class folders in both, whose names are splits'", {**within(name, PETS), **within(other, PETS)}, IN_BOTH
        )
        yield Row("one folder is no two classes", within(name, PETS), ["cat", "dog"])
        yield Row("a bare folder beside: is it a class?", mixed, "--set data.splits=false")
    else:
        yield Row(
            "class folders in both, whose names are splits'", {**within(train, PETS), **within(name, PETS)}, IN_BOTH
        )
        yield Row("nothing to train on", within(name, PETS), "but no 'train'")
        yield Row("no training set beside a test set", mixed, "--set data.splits=false")
        beside = {**within(train, PETS), **within(name, PETS), "unlabelled": 5}
        yield Row("both hold the same classes, so what lies beside them is neither", beside, IN_BOTH)
    yield Row("images directly inside, beside another class: no split", alone, [name, "bus"])
    yield Row("a class may have folders within beside its images", deeper, [name, "bus", "car"])
    yield Row("somebody said that they are classes", mixed, [name, "bus"], Splits(any=False))
    yield Row("splits without classes cannot be learnt from", {name: 3, other: 3}, "no class folders within")


BY_HAND = [
    Row(
        "a validation set is the test set where there is none",
        {"train/a": 2, "train/b": 2, "val/a": 1},
        ({"a": 2, "b": 2}, {"a": 1}),
    ),
    Row(
        "beside a test set it is validated on",
        {"train/a": 2, "train/b": 2, "val/a": 1, "test/b": 1},
        ({"a": 2, "b": 2}, {"b": 1}, {"a": 1}),
    ),
    Row(
        "an evaluation set is the test set beside a development set",
        {"train/a": 2, "train/b": 2, "dev/a": 1, "eval/b": 1},
        ({"a": 2, "b": 2}, {"b": 1}, {"a": 1}),
    ),
    Row(
        "and the validation set beside a test set",
        {"train/a": 2, "train/b": 2, "eval/a": 1, "test/b": 1},
        ({"a": 2, "b": 2}, {"b": 1}, {"a": 1}),
    ),
    Row(
        "two may be the test set",
        {"train/a": 1, "train/b": 1, "test/a": 1, "testing/a": 1},
        "'test', 'testing': each may be the test set",
    ),
    Row(
        "two may be the training set",
        {"train/a": 1, "train/b": 1, "Training/a": 1, "test/a": 1},
        "each may be the train set",
    ),
    Row(
        "two may be validation",
        {"train/a": 1, "train/b": 1, "val/a": 1, "dev/a": 1, "test/a": 1},
        "each may be the validation set",
    ),
    Row(
        "folds are several training sets",
        {"train1/a": 1, "train1/b": 1, "train2/a": 1, "test1/a": 1},
        "each may be the train set",
    ),
    Row(
        "somebody said which of two it is",
        {"train/a": 2, "train/b": 2, "test/a": 1, "testing/a": 9},
        ({"a": 2, "b": 2}, {"a": 1}),
        Splits("train", "test"),
    ),
    Row(
        "several may be trained on",
        {"one/a": 2, "one/b": 2, "two/a": 1, "deep/three/b": 4},
        ({"a": 3, "b": 2}, {"b": 4}),
        Splits(["one", "two"], "deep/three"),
    ),
    Row(
        "a folder that was named is not there",
        {"a": 1, "b": 1},
        "has no folder 'train'; it has 'a', 'b'",
        Splits("train"),
    ),
    Row("the training set was not named", {"a": 1, "b": 1}, "data.test names the test set", Splits(test="a")),
    Row("no splits, and one named", {"a": 1, "b": 1}, "leave data.train and data.test out", Splits("a", any=False)),
    Row("'trainval' is trained on", {"trainval/a": 2, "trainval/b": 2, "test/a": 1}, ({"a": 2, "b": 2}, {"a": 1})),
    Row(
        "an archive in an archive",
        {"seg_train/seg_train/a": 2, "seg_train/seg_train/b": 2, "seg_test/seg_test/a": 1, "seg_pred/seg_pred": 7},
        ({"a": 2, "b": 2}, {"a": 1}),
    ),
    Row(
        "wrapped in 'images'",
        {"train/images/a": 2, "train/images/b": 2, "test/images/a": 1},
        ({"a": 2, "b": 2}, {"a": 1}),
    ),
    Row("one class whose folder holds folders is one class", {"train/a/x": 2, "train/a/y": 2}, "only the class 'a'"),
    Row("all images in 'images' are no classes", {"train/images": 4, "valid/images": 2}, "only the class 'images'"),
    Row("each class has its 'images'", {"train/images": 2, "bus/images": 2, "car/images": 2}, ["train", "bus", "car"]),
    Row(
        "words that but contain a split's",
        {"strainer": 2, "contest": 2, "trains": 2, "developed": 2},
        ["strainer", "contest", "trains", "developed"],
    ),
    Row(
        "two things that have folders within",
        {"train_station/a": 2, "train_station/b": 2, "test_tube/a": 2},
        "--set data.splits=false",
    ),
    Row("two things with images", {"train_station": 2, "test_tube": 2}, ["train_station", "test_tube"]),
    Row("valid and invalid ones", {"valid": 2, "invalid": 2}, ["valid", "invalid"]),
    Row(
        "a steam train beside others",
        {"train/steam": 2, "train/electric": 2, "bus": 2, "car": 2},
        "'train' the training set or a class",
    ),
    Row("unlabelled test images", {"train/a": 2, "train/b": 2, "test": 5}, "--set data.train=train"),
    Row("and the training images alone", {"train/a": 2, "train/b": 2, "test": 5}, ["a", "b"], Splits("train")),
    Row(
        "splits within the classes would be mixed",
        {"a/train": 2, "a/test": 2, "b/train": 2, "b/test": 2},
        "splits within its classes",
    ),
    Row(
        "splits in no language that zoo knows",
        {"entrenamiento/a": 2, "entrenamiento/b": 2, "prueba/a": 2, "prueba/b": 2},
        "which all hold 'a', 'b'",
    ),
    Row("classes with folders of different names", {"a/x": 2, "a/y": 2, "b/x": 2, "b/z": 2}, ["a", "b"]),
    Row("a class that has one image is trained on", {"a": 4, "b": 1}, ["a", "b"]),
    Row("but not all of them", {"a": 1, "b": 1}, "has one image alone"),
    Row("a test set may lack a class", {"train/a": 2, "train/b": 2, "test/b": 3}, ({"a": 2, "b": 2}, {"b": 3})),
    Row("or have an empty one", {"train/a": 2, "train/b": 2, "test/a": 0, "test/b": 3}, ({"a": 2, "b": 2}, {"b": 3})),
    Row("but not all of them empty", {"train/a": 2, "train/b": 2, "test/a": 0}, "there are no images in"),
    Row("nor a split that has none", {"train/a": 2, "train/b": 2, "val": 0}, "there are no images in"),
    Row("also where it was named", {"x/a": 2, "x/b": 2, "y/a": 0}, "there are no images in", Splits("x", "y")),
    Row("classes of which none has images", {"a": 0, "b": 0}, "the class 'a' is empty"),
    Row(
        "an empty class cannot be learnt",
        {"train/a": 2, "train/b": 0, "train/c": 2, "test/a": 1},
        "the class 'b' is empty",
    ),
    Row(
        "an empty class of the validation set is none of the training set's",
        {"train/a": 2, "train/b": 2, "val/a": 0, "val/b": 1, "test/a": 1},
        ({"a": 2, "b": 2}, {"a": 1}, {"b": 1}),
    ),
    Row("nor an empty one that was left by mistake", {"a": 2, "b": 2, "c": 0}, "the class 'c' is empty"),
    Row("a class that only the test set has", {"train/a": 2, "train/b": 2, "test/c": 3}, "no training image has: 'c'"),
]


def fits(found: tuple[dict[str, int], ...] | str, right: object) -> bool:
    if isinstance(found, str):
        return isinstance(right, str) and right in found and "\n" not in found
    if isinstance(right, list):
        # Classes alone are split, so that both parts together have them all.
        return sorted(Counter(found[0]) + Counter(found[1])) == sorted(right)
    return found == right


def test_every_folder_is_what_its_row_says(tmp_path):
    """A split is never a class, a class never a split, and what may be either is refused with the way out."""
    wrong, rows = [], [*rows_of_names(), *BY_HAND]
    for number, row in enumerate(rows):
        found = outcome(planted(tmp_path / str(number), row.tree), row.said)
        if not fits(found, row.right):
            wrong.append(f"{row.why}: {dict(row.tree)} should be {row.right}, and is {found}")
    assert not wrong, "\n".join(wrong)
    assert len(rows) > 500


@pytest.mark.parametrize(
    ("name", "part", "stem"),
    [
        ("Train2017", "train", ()),
        ("imagesTrain", "train", ()),
        ("TrainingData", "train", ()),
        ("VALIDATION_SET", "validation", ()),
        ("pets_trainval", "train", ("pets",)),
        ("train_val", "train", ()),
        ("station-train", "train", ("station",)),
        ("\u00e9t\u00e9_test", "test", ("\u00e9t\u00e9",)),
    ],
)
def test_a_name_says_a_part_and_what_it_is_of(name, part, stem):
    """Words, humps, digits and glued words are told apart; what says nothing is left out."""
    assert role_of(name) == (part, stem)


@pytest.mark.parametrize(
    "name", ["cat", "train_test", "strainer", "latest", "devices", "trains", "2017", "", "evaluate"]
)
def test_a_name_that_says_no_part_or_several_is_none(name):
    """A word that only contains a split's is another word."""
    assert role_of(name) is None
