"""What datasets, splits and folds refuse, in whole sentences, and what is found in the counts of classes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from small_photos import encoded, photographs
from torch import Tensor

import zoo
from zoo.data import EncodedImages, TensorImages, hold_out_fold
from zoo.data.duplicates import EXAMPLES, duplicates
from zoo.data.encoded import opened, probe
from zoo.data.findings import FEW, MOST, class_findings, leakage

BLACK = torch.zeros(3, 1, 4, 4, dtype=torch.uint8)
LABELS = torch.arange(3)


def refused(call: Any, *args: Any, **more: Any) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        call(*args, **more)
    return str(caught.value)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (BLACK.float(), LABELS, "images must be uint8 (N, C, H, W), not torch.float32 (3, 1, 4, 4)"),
        (BLACK[:, 0], LABELS, "images must be uint8 (N, C, H, W), not torch.uint8 (3, 4, 4)"),
        (BLACK, LABELS.int(), "labels must be int64 (3,), one for each image, not torch.int32 (3,)"),
        (BLACK, LABELS[:2], "labels must be int64 (3,), one for each image, not torch.int64 (2,)"),
        (BLACK, LABELS.view(3, 1), "labels must be int64 (3,), one for each image, not torch.int64 (3, 1)"),
    ],
)
def test_images_in_memory_are_bytes_with_a_label_each(images: Tensor, labels: Tensor, message: str) -> None:
    """Either fault alone is one."""
    assert refused(TensorImages, images, labels) == message


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"sizes": [1, 2]}, "sizes must be 3, one for each image, not 2"),
        ({"names": []}, "names must be 3, one for each image, not 0"),
        ({"names": ["b", "a", "a"]}, "two images are called 'a': each must have a name of its own"),
    ],
)
def test_notes_about_images_are_one_for_each(more: dict[str, Any], message: str) -> None:
    """And names tell them apart."""
    assert refused(TensorImages, BLACK, LABELS, **more) == message


def data(**parts: Any) -> zoo.Dataset:
    split = TensorImages(BLACK, LABELS)
    made = {"train": split, "test": split, "classes": ("auk", "gull", "tern"), "mean": [0.5], "std": [0.3]}
    return zoo.Dataset(**{**made, **parts})


STATISTICS = "mean {} and std {} must have 1 numbers each, one for each channel, and every std must be above 0"


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        ([0.5], None),
        (None, [0.5]),
        ([0.5], [0.0]),
        ([0.5], [-0.1]),
        ([0.5], [math.inf]),
        ([math.nan], [0.5]),
        ([0.5, 0.5], [0.5, 0.5]),
        ([], [0.5]),
    ],
)
def test_statistics_come_together_one_a_channel(mean: list[float] | None, std: list[float] | None) -> None:
    """What is left out is measured; half of it cannot be."""
    assert refused(data, mean=mean, std=std) == STATISTICS.format(list(mean or ()), list(std or ()))


def test_what_is_not_measured_changes_nothing() -> None:
    """A mean of 0 and a deviation of 1, for each channel."""
    facts = data(mean=None, std=None).facts
    assert (facts.mean, facts.std, facts.in_channels, facts.image_size) == ((0.0,), (1.0,), 1, (4, 4))
    assert (facts.classes, facts.fit) == (("auk", "gull", "tern"), "stretch")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"classes": ()}, "a dataset needs at least two classes, not []"),
        ({"classes": ("auk",)}, "a dataset needs at least two classes, not ['auk']"),
        ({"classes": ("auk", "gull", "auk")}, "two classes have one name: ['auk', 'gull', 'auk']"),
        ({"groups": ["a"]}, "groups must be 3, one for each training image, not 1"),
        (
            {"classes": ("auk", "gull")},
            "the training labels go from 0 to 2, and there are 2 classes: they must be from 0 to 1",
        ),
        (
            {"validation": TensorImages(BLACK, LABELS - 1)},
            "the validation labels go from -1 to 1, and there are 3 classes: they must be from 0 to 2",
        ),
    ],
)
def test_parts_of_a_dataset_that_do_not_fit_are_told_whole(parts: dict[str, Any], message: str) -> None:
    """With the numbers that there are and those that there should be."""
    assert refused(data, **parts) == message


def test_the_splits_are_those_that_there_are() -> None:
    """In the order in which messages name them."""
    held = TensorImages(BLACK, LABELS)
    made = data(validation=held)
    assert made.splits == (made.train, made.test, held)
    assert len(data().splits) == 2


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photographs(tmp_path_factory.mktemp("photos"), train=6, test=3)


@pytest.mark.parametrize(
    ("labels", "told"),
    [(torch.zeros(5, dtype=torch.int64), "torch.int64 (5,)"), (torch.zeros(6), "torch.float32 (6,)")],
)
def test_encoded_images_have_a_label_each(root: Path, labels: Tensor, told: str) -> None:
    """Of the right type and number, each alone."""
    source = encoded(root).source
    message = refused(EncodedImages, source, labels, channels=3, size=(4, 4))
    assert message == f"labels must be int64 (6,), one for each image, not {told}"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"channels": 4}, "an image is read with 1 channel (grey) or 3 (colour), not 4"),
        ({"size": (0, 4)}, "an image cannot be resized to (0, 4): height and width must be at least 1"),
        ({"fit": "zoom"}, "fit must be one of stretch, pad, crop, not 'zoom'"),
    ],
)
def test_encoded_images_are_wanted_as_they_can_be_read(root: Path, more: dict[str, Any], message: str) -> None:
    """When they are named, not when the first is read."""
    split = encoded(root)
    with pytest.raises(zoo.UsageError) as caught:
        EncodedImages(split.source, split.labels, **{"channels": 3, "size": (4, 4), **more})
    assert str(caught.value) == message


def test_another_size_is_another_split_of_the_same_images(root: Path) -> None:
    """The first stays as it is; what is not said of the other stays the same."""
    split = encoded(root)
    split.fit = "pad"
    other = split.at((6, 5))
    assert (split.shape, other.shape) == ((3, 12, 10), (3, 6, 5))
    assert (other.interpolation, other.fit) == ("bilinear", "pad")
    assert (split.at((6, 5), "bicubic", "crop").interpolation, split.at((6, 5), fit="crop").fit) == ("bicubic", "crop")
    assert other.source is split.source
    assert other.batch(torch.tensor([1]))[0].shape == (1, 3, 6, 5)
    with pytest.raises(zoo.UsageError, match="cannot be resized"):
        split.at((6, 0))


def test_a_batch_is_read_image_by_image(root: Path) -> None:
    """At their indices, repeats among them, with the bits of one image alone and of `zoo.read_image`."""
    split = encoded(root)
    images, labels = split.batch(torch.tensor([4, 0, 4]))
    assert labels.tolist() == split.labels[[4, 0, 4]].tolist()
    assert torch.equal(images[0], images[2])
    for image, index in zip(images, (4, 0, 4), strict=True):
        alone = zoo.read_image(split.source.place(index), channels=3, size=(12, 10))
        assert torch.equal(image, alone)


def test_a_file_that_is_gone_is_damage_and_no_wrong_usage(tmp_path: Path) -> None:
    """It was there when the folder was looked through: exit code 4."""
    root = photographs(tmp_path, train=3, test=0)
    source = encoded(root).source
    assert probe(source, 1).channels == 3
    Path(source.place(1)).unlink()
    for read in (opened, probe):
        with pytest.raises(zoo.DamagedError, match="No such file") as caught:
            read(source, 1)
        assert caught.value.exit_code == 4
        assert source.place(1) in str(caught.value)


def split(labels: list[int]) -> TensorImages:
    return TensorImages(torch.zeros(len(labels), 1, 1, 1, dtype=torch.uint8), torch.tensor(labels))


def test_a_fold_without_an_image_is_told_by_its_number() -> None:
    """Counted from 1, as it was asked for."""
    kept, held = hold_out_fold(split([0, 0, 1, 1]), 4, 4, seed=0)
    assert (len(kept), len(held)) == (3, 1)
    message = refused(hold_out_fold, split([0, 0, 1, 1]), 5, 5, seed=0)
    assert message == "fold 5 of 5 would hold out no image; give fewer folds"


def test_groups_that_take_a_class_with_them_are_told() -> None:
    """The fold and the class, and what else to try; here two groups have all there is of both."""
    labels, groups = [0, 1, 0, 1, 2, 2], ["a", "a", "b", "b", "c", "d"]
    for number in (1, 2):
        kept, _ = hold_out_fold(split(labels), number, 2, 0, groups)
        assert set(torch.tensor(labels)[kept].tolist()) == {0, 1, 2}
    message = refused(hold_out_fold, split([0, 1, 1, 0, 0, 1]), 1, 1, 0, ["a", "a", "b", "b", "c", "c"])
    assert message == (
        "fold 1 of 1 would hold out every image of class 0, as groups stay whole; give another number of folds or "
        "another --seed"
    )


def told(train: list[int], test: list[int], classes: tuple[str, ...] = ("auk", "gull", "tern")) -> list[str]:
    found = list(class_findings({"train": train, "test": test}, classes))
    assert {finding.severity for finding in found} <= {"doubtful"}
    return [f"{finding.kind}: {finding.summary}" for finding in found]


def test_counts_of_classes_are_told_from_their_bounds_on() -> None:
    """One fewer than enough, none at all, and one class that is nearly everything."""
    assert told([FEW, FEW, FEW], [1, 1, 1]) == []
    assert told([FEW - 1, FEW, FEW], [1, 1, 1]) == [f"few images: 1 class has fewer than {FEW} training images"]
    assert told([1, 0, FEW], [1, 1, 1])[0] == f"few images: 2 classes have fewer than {FEW} training images"
    assert told([FEW, FEW, FEW], [0, 2, 2]) == ["untested: 1 class has no test image"]


def test_a_class_that_is_nearly_everything_is_named_with_its_share() -> None:
    """In per cent of its split, from above the bound on."""
    many = round(1000 * MOST)
    assert not any("one class" in text for text in told([many, 500 - many // 2, 500 - many // 2], [1, 1, 1]))
    (found,) = (text for text in told([100 * many, FEW, FEW], [1, 1, 1]) if text.startswith("one class"))
    share = 100 * (100 * many) / (100 * many + 2 * FEW)
    assert found.startswith(f"one class: {share:.1f} % of the train images are 'auk': whoever says that of every image")
    assert found.endswith("judge by balanced accuracy (--select balanced)")


@pytest.mark.parametrize(("count", "begin"), [(1, "1 image is in two"), (2, "2 images are in"), (1500, "1,500 images")])
def test_leakage_is_counted_in_words(count: int, begin: str) -> None:
    """With the places of each."""
    groups = [["train/a", "test/a"]] * count
    found = leakage(groups)
    assert found.summary.startswith(begin)
    assert (found.kind, found.severity) == ("leakage", "falsifies")


def pixels(count: int, size: int = 3, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (count, 1, size, size), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 8])
def test_images_of_any_number_of_bytes_are_compared(size: int) -> None:
    """Multiples of eight bytes and others; the last pixel counts."""
    images = pixels(4, size)
    images[:, 0, 0, 0] = torch.arange(4)
    others = images[[2, 0]].clone()
    if size > 1:
        others[1, 0, -1, -1] ^= 1
    test, learnt = TensorImages(images, torch.zeros(4).long()), TensorImages(others, torch.zeros(2).long())
    found = duplicates({"test": test}, learnt)["test"]
    assert found is not None
    assert found.pairs == (((0, 1), (2, 0)) if size == 1 else ((2, 0),))
    assert found.count == len(found.pairs)


def test_many_pairs_are_counted_and_some_are_told() -> None:
    """In the order of the first split."""
    images = pixels(40)
    ours, theirs = (TensorImages(part, torch.zeros(40).long()) for part in (images, images.flip(0)))
    found = duplicates({"test": ours}, theirs)["test"]
    assert found is not None
    assert found.count == 40
    assert found.pairs == tuple((place, 39 - place) for place in range(EXAMPLES))
