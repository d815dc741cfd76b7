"""Where images are while a run lasts, and what is told of them before."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_images import small_dataset
from small_photos import photographs

import zoo
from zoo.data import held, holding, is_streamed, sized
from zoo.data.encoded import EncodedImages
from zoo.data.statistics import pixel_statistics, spread


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return photographs(tmp_path_factory.mktemp("photographs"))


def dataset(root, **options) -> zoo.Dataset:
    return zoo.create("datasets", "folder", root=str(root), **options)


def images_of(split) -> torch.Tensor:
    return split.batch(torch.arange(len(split)))[0]


def test_both_ways_give_equal_bits_and_statistics(root):
    """In memory or read while training: the same pixels, the same mean and standard deviation."""
    memory, streamed = (held(dataset(root, stream=stream), (20, 28), "cpu") for stream in (False, True))
    assert not is_streamed(memory.train)
    assert is_streamed(streamed.train)
    for one, other in zip(memory.splits, streamed.splits, strict=True):
        assert torch.equal(images_of(one), images_of(other))
        assert torch.equal(one.labels, other.labels)
        assert list(one.names) == list(other.names)
    assert memory.facts == streamed.facts
    pixels = images_of(memory.train).double() / 255
    assert memory.mean == pytest.approx(pixels.mean((0, 2, 3)).tolist(), abs=1e-12)
    assert memory.std == pytest.approx(pixels.std((0, 2, 3), correction=0).tolist(), abs=1e-12)


def test_nothing_is_decoded_before_the_size_is_known(root, monkeypatch):
    """Building the dataset reads headers alone; the model's size is then the one size that images are resized to."""
    monkeypatch.setattr(EncodedImages, "read_into", None)
    assert sized(dataset(root), (48, 40)).facts.image_size == (48, 40)
    assert sized(dataset(root), None).facts.image_size == dataset(root).facts.image_size


def test_a_size_that_somebody_chose_stays(root):
    """The model's wish does not overrule data.size."""
    assert held(dataset(root, size=16), (48, 40), "cpu").facts.image_size == (16, 16)


@pytest.mark.parametrize(("share", "streams"), [(3.9, True), (4.1, False)])
def test_the_whole_memory_decides(root, monkeypatch, share, streams):
    """A quarter of what the machine has, whatever is free at the moment; an explicit choice overrules it."""
    data = dataset(root, size=[10, 12])
    needed = 39 * 3 * 10 * 12
    monkeypatch.setattr(holding, "whole_memory", lambda: round(needed * share))
    assert holding.streams(data) is streams
    assert holding.streams(dataset(root, stream=not streams)) is not streams
    monkeypatch.setattr(holding, "whole_memory", lambda: None)
    assert holding.streams(data) is False


def test_a_set_in_memory_never_streams(monkeypatch):
    """There is nothing to read."""
    monkeypatch.setattr(holding, "whole_memory", lambda: 1)
    assert holding.streams(small_dataset()) is False
    assert holding.streams(zoo.Dataset(**{**vars(small_dataset()), "stream": True})) is False


def test_many_images_are_measured_by_some_of_them():
    """Evenly spread over the split, the first and the last among them; few are all looked at."""
    assert spread(5).tolist() == [0, 1, 2, 3, 4]
    some = spread(1_000_000, 1000)
    assert (len(some), some[0], some[-1]) == (1000, 0, 999_999)
    assert set(np.diff(some)) <= {1000, 1001, 1002}
    levels = torch.arange(256, dtype=torch.uint8).repeat(40)
    split = zoo.TensorImages(levels.view(-1, 1, 1, 1), torch.zeros(len(levels), dtype=torch.int64))
    (mean,), (std,) = pixel_statistics(split)
    assert mean == pytest.approx(0.5, abs=2e-3)
    assert std == pytest.approx(np.arange(256).std() / 255, abs=2e-3)
