"""Samples with weights of their own: seen as often as those say, and everything else as it was."""

from __future__ import annotations

import dataclasses
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_images import small_dataset
from small_photos import photograph

import zoo
from zoo.data import Subset
from zoo.data.dataset import weights_of
from zoo.data.identity import Identification
from zoo.data.order import balanced_order, choose_order
from zoo.data.splits import places_of


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30).filter(any), st.integers(0, 3), st.floats(0, 1))
def test_an_epoch_visits_each_as_often_as_its_weight_says(weights, seed, balance):
    """Rounded up or down, as many in all as there are, and one of weight 0 never."""
    own = torch.tensor(weights, dtype=torch.float64)
    labels = torch.arange(len(own)) % 3
    visited = balanced_order(seed, 0, labels, balance, own)
    counts = torch.bincount(visited % len(own), minlength=len(own))
    shares = torch.bincount(labels, own, minlength=3)
    wanted = own * shares.clamp(min=1e-9).pow(-balance)[labels]
    wanted = wanted * (len(own) / wanted.sum())
    assert len(visited) == len(visited.unique()) == len(own)
    assert bool(((counts - wanted).abs() < 1 + 1e-6).all())
    assert not counts[own == 0].any()


def test_equal_weights_are_as_none():
    """The same visits, whatever the weights' size, where classes are balanced, too."""
    labels = torch.tensor([0] * 9 + [1])
    for balance in (0.5, 1.0):
        assert torch.equal(
            balanced_order(1, 2, labels, balance),
            balanced_order(1, 2, labels, balance, torch.full((10,), 4.0).double()),
        )


def test_an_order_without_a_table_cannot_follow_weights():
    """It is refused where it was asked for, and not chosen by itself."""
    assert choose_order("auto", 2**26, 0.0, weighted=True) == "table"
    with pytest.raises(zoo.UsageError, match="images with weights"):
        choose_order("keyed", 10, 0.0, weighted=True)


@pytest.mark.parametrize("weights", [[1.0] * 59, [1.0] * 59 + [-1], [float("nan")] * 60, [0.0] * 60])
def test_weights_that_cannot_be_are_refused(weights):
    """Another number of them, one below 0, none at all."""
    data = small_dataset()
    with pytest.raises(ValueError, match="weights must be 60 numbers"):
        zoo.TensorImages(data.train.images, data.train.labels, weights=torch.tensor(weights))


def test_weights_are_a_part_of_what_data_are_known_by():
    """A run does not go on with others."""
    data = small_dataset()
    known = []
    for first in (None, 1.0, 2.0):
        weights = None if first is None else torch.ones(60).index_fill(0, torch.tensor([0]), first)
        train = zoo.TensorImages(data.train.images, data.train.labels, weights=weights)
        known.append(Identification(dataclasses.replace(data, train=train)).of("train").splits["train"])
    assert len({identity.labels_sha256 for identity in known}) == 3
    assert len({identity.images_sha256 for identity in known}) == 1


def test_a_part_has_its_own_weights():
    """In its order."""
    data = small_dataset()
    split = zoo.TensorImages(data.train.images, data.train.labels, weights=torch.arange(60))
    assert weights_of(Subset(split, torch.tensor([7, 3]))).tolist() == [7.0, 3.0]
    assert weights_of(data.train) is None


@pytest.fixture
def table(tmp_path):
    """A table of 24 pictures, in which some count double and some not at all."""
    rows = []
    for index in range(24):
        photograph(tmp_path / f"{index}.png", index % 2, index, (8, 8))
        rows.append(f"{index}.png,{'ab'[index % 2]},{'test' if index >= 18 else 'train'},{(1, 2, 0)[index % 3]}")
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["file,label,split,weight", *rows]))
    return path


def trained(table, out, **settings):
    options = {"data.root": str(table), "data.stream": settings.pop("stream", False)}
    given = {"epochs": 2, "batch_size": 4, "validation": 0, "device": "cpu", "threads": 1}
    return zoo.train("mlp", data="table", options=options, out=out, **{**given, **settings})


def test_a_table_of_weights_is_trained_on_alike_in_memory_and_streamed(table, tmp_path):
    """With what mixes, accumulates, and evens classes out; other weights are another run."""
    settings = {"augment": ["mixup"], "accumulate": 2, "balance": 0.5}
    memory, streamed = (trained(table, tmp_path / f"{n}", stream=n > 0, readers=2, **settings) for n in range(2))
    for name, tensor in memory.model.state_dict().items():
        assert torch.equal(tensor, streamed.model.state_dict()[name]), name
    table.write_text(table.read_text().replace("train,2", "train,1"))
    other = trained(table, tmp_path / "other", **settings)
    assert other.metrics[-1].loss != memory.metrics[-1].loss


@pytest.mark.parametrize("wrong", ["-1", "many", "nan", "inf", ""])
def test_a_weight_that_is_none_is_named_by_its_line(table, wrong):
    """As any other value of a table."""
    table.write_text(table.read_text().replace("1.png,b,train,2", f"1.png,b,train,{wrong}"))
    with pytest.raises(zoo.UsageError, match="line 3: weight must be a number, 0 or more"):
        zoo.create("datasets", "table", root=str(table))


def test_weights_that_are_all_nothing_are_refused(table):
    """There would be nothing to train on."""
    table.write_text(table.read_text().replace("train,1", "train,0").replace("train,2", "train,0"))
    with pytest.raises(zoo.UsageError, match="a weight of 0 for every training image"):
        zoo.create("datasets", "table", root=str(table))


@pytest.mark.parametrize("more", [{"options": {"data.limit": 6}, "validation": 0}, {"validation": 54}])
def test_images_of_which_none_is_to_be_seen_are_refused(more, tmp_path, monkeypatch):
    """Where the cap or the hold-out leaves none with a weight above 0; one such image is enough to begin."""
    data, left = small_dataset(), []
    with monkeypatch.context() as patched:
        patched.setattr("zoo.runs.datasets._learnable", lambda train: left.append(places_of(train)) or train)
        zoo.train("mlp/linear", data=data, out=tmp_path / "unweighted", steps=1, threads=1, **more)
    (places,) = left
    assert len(places) == 6
    weights = torch.ones(60).index_fill(0, places, 0.0)
    for name, first in (("none", 0.0), ("one", 0.5)):
        weights[places[0]] = first
        train = zoo.TensorImages(data.train.images, data.train.labels, weights=weights)
        weighted = dataclasses.replace(data, train=train)
        begin = partial(zoo.train, "mlp/linear", data=weighted, out=tmp_path / name, steps=1, threads=1, **more)
        if first:
            assert begin().summary["train"] == 6
        else:
            with pytest.raises(zoo.UsageError, match="all 6 training images that are left have weight 0"):
                begin()
        assert (tmp_path / name).exists() == bool(first)
