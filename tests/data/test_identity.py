"""What a dataset is known by: its classes and counts, the names and sizes of its files, or its pixels."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_images import named_dataset, small_dataset, small_split

import zoo
from zoo.data import Dataset, Subset, TensorImages
from zoo.data.identity import SPLITS, DataIdentity, Identification


def identity(dataset: Dataset) -> DataIdentity:
    return Identification(dataset).of(*SPLITS)


def with_train(split: object) -> Dataset:
    return replace(small_dataset(), train=split)


class Read:
    """A split that is not in memory: it counts the images that are read."""

    def __init__(self, images: TensorImages, **attributes: object) -> None:
        self.images, self.read = images, 0
        vars(self).update(attributes)

    @property
    def labels(self) -> torch.Tensor:
        return self.images.labels

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.read += len(indices)
        return self.images.batch(indices)


def test_equal_data_are_known_by_the_same():
    """Built anew, and whatever the layout of their memory."""
    split = small_split(60, channels=3)
    turned = TensorImages(split.images.contiguous(memory_format=torch.channels_last), split.labels)
    colour = small_dataset(channels=3)
    assert identity(replace(colour, train=turned)) == identity(replace(colour, train=small_split(60, channels=3)))


@pytest.mark.parametrize("change", ["a pixel", "a label", "an image fewer", "the order"])
def test_other_data_are_known_by_something_else(change: str):
    """A single pixel is enough, and where samples have no names their order is theirs."""
    split = small_split(60)
    images, labels = split.images.clone(), split.labels.clone()
    if change == "a pixel":
        images[59, 0, 7, 7] ^= 1
    elif change == "a label":
        labels[0] = 2
    elif change == "the order":
        images = images.flip(0)
    else:
        images, labels = images[1:], labels[1:]
    other, same = identity(with_train(TensorImages(images, labels))), identity(small_dataset())
    assert other.splits["train"] != same.splits["train"]
    assert other.splits["test"] == same.splits["test"]


@settings(max_examples=30)
@given(order=st.permutations(range(12)), sized=st.booleans())
def test_the_order_of_named_samples_plays_no_part(order: list[int], sized: bool):
    """However a file system lists them; the same images under the same names are the same data."""
    split = small_split(12)
    names = [f"{chr(ord('m') - index)}/ü{index}.png" for index in range(12)]
    sizes = [index * 10 for index in range(12)] if sized else None
    whole = TensorImages(split.images, split.labels, names=names, sizes=sizes)
    part = Subset(whole, torch.tensor(order))
    images, labels = part.batch(torch.arange(12))
    turned = TensorImages(images, labels, names=part.names, sizes=part.sizes)
    first, second = (Identification(with_train(each)) for each in (whole, turned))
    assert first.of("train") == second.of("train")
    assert first.listings == second.listings


def test_named_files_are_not_read():
    """Their names and sizes stand for them; one that changed its size, its label or its name is another."""
    split = named_dataset().train
    assert isinstance(split, TensorImages)
    whole = identity(with_train(split))
    assert whole.splits["train"].known_by == "names and sizes"
    read = Read(split, names=split.names, sizes=split.sizes)
    assert identity(with_train(read)) == whole
    assert read.read <= 3  # of its first image, which tells the shape
    for other in (
        Read(split, names=split.names, sizes=[*split.sizes[:-1], 7]),
        Read(split, names=["new", *split.names[1:]], sizes=split.sizes),
        Read(TensorImages(split.images, split.labels.flip(0)), names=split.names, sizes=split.sizes),
    ):
        assert identity(with_train(other)) != whole


def test_of_what_is_read_when_asked_some_images_are_looked_at():
    """All would take hours; their first, last and every so many between, and all labels."""
    read = Read(small_split(500))
    found = identity(with_train(read)).splits["train"]
    assert found.known_by == "pixels of 32"
    assert 32 <= read.read <= 35  # the first one tells the shape besides
    other = small_split(500)
    other.images[0] = 1
    assert identity(with_train(Read(other))).splits["train"].images_sha256 != found.images_sha256


def test_a_name_that_is_no_text_is_a_name():
    """A file system may hold bytes that are no UTF-8; Python escapes them as lone surrogates."""
    split = small_split(2)
    named = TensorImages(split.images, split.labels, names=["a\udcff", "a\udcfe"], sizes=[1, 1])
    other = TensorImages(split.images, split.labels, names=["a\udcff", "a\udcfd"], sizes=[1, 1])
    assert identity(with_train(named)) != identity(with_train(other))


def test_counts_are_those_of_each_class():
    """Also of a class that has no image."""
    dataset = zoo.Dataset(small_split(7), small_split(2), ["a", "b", "c"], [0.5], [0.25])
    assert {name: split.counts for name, split in identity(dataset).splits.items()} == {
        "train": (3, 2, 2),
        "test": (1, 1, 0),
    }
