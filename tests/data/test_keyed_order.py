"""The order without a table: a permutation, computed in parts, the same everywhere."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_images import preparation, small_dataset, small_split
from storm import outcome
from torch import nn

import zoo
from zoo.data import Subset, TrainingBatches
from zoo.data.keyed_order import KeyedOrder
from zoo.data.order import KEYED_FROM, TableOrder, choose_order, sample_order, visits
from zoo.errors import UsageError


@given(count=st.integers(1, 3000), seed=st.integers(0, 2**63 - 1), epoch=st.integers(0, 2**31), data=st.data())
def test_any_number_of_samples_is_permuted(count, seed, epoch, data):
    """Each comes once; its place is told; a part is a part of the whole; nothing hangs on what was computed before."""
    order = KeyedOrder(seed, epoch, count)
    whole = order.part(0, count)
    assert sorted(whole.tolist()) == list(range(count))
    start = data.draw(st.integers(0, count))
    stop = data.draw(st.integers(start, count))
    again = KeyedOrder(seed, epoch, count)
    assert torch.equal(again.part(start, stop), whole[start:stop])
    places = torch.arange(count).flip(0)
    assert torch.equal(again.at(places), whole.flip(0))
    assert torch.equal(again.places_of(whole.flip(0)), places)


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, [0]),
        (1000, [26, 713, 373, 550, 10]),
        (10**9, [584932373, 50566887, 648005525, 543844189]),
        (2**62, [3048161918737903884, 2919935963616362333]),
    ],
)
def test_the_order_is_the_same_on_every_platform(count, expected):
    """Whole numbers of 64 bits; these were computed once, and must never be others."""
    order = KeyedOrder(0, 0, count)
    found = order.part(0, len(expected))
    assert found.tolist() == expected
    assert order.places_of(found).tolist() == list(range(len(expected)))
    last = order.part(count - 1, count)
    assert order.places_of(last).tolist() == [count - 1]


def test_the_order_looks_random_and_is_another_in_each_epoch():
    """Where a sample comes, and how far the next one is from it, spreads evenly: chi-squared over ten tenths."""
    count = 1000
    orders = [KeyedOrder(seed, epoch, count).part(0, count) for seed in range(10) for epoch in range(20)]
    first = torch.stack([order[0] for order in orders])
    apart = torch.stack([order.diff() % count for order in orders[:20]]).flatten()
    assert len(first.unique()) > 150
    for numbers in (first, apart):
        counts = torch.bincount(numbers * 10 // count, minlength=10).double()
        expected = len(numbers) / 10
        assert ((counts - expected) ** 2 / expected).sum() < 27.9  # 0.1 % of random orders are further off


def test_a_table_knows_the_place_of_each_number():
    """Also where the numbers are not those from 0 on, as the repeated visits of `balanced_order` are not."""
    table = sample_order(0, 0, 50) * 3
    order = TableOrder(table)
    assert torch.equal(order.at(order.places_of(table)), table)
    assert torch.equal(order.part(3, 9), table[3:9])


def test_the_kind_is_chosen_by_the_number_of_samples():
    """Tables of less than half a gigabyte stay; what was asked for is done, or refused in a line."""
    assert choose_order("auto", KEYED_FROM - 1, 0.0) == "table"
    assert choose_order("auto", KEYED_FROM, 0.0) == "keyed"
    assert choose_order("auto", KEYED_FROM, 0.5) == "table"
    assert choose_order("keyed", 10, 0.0) == "keyed"
    with pytest.raises(UsageError, match="--balance chooses from a table of all images; give --order table"):
        choose_order("keyed", 10, 0.5)


@pytest.mark.parametrize(("slices", "accumulate"), [(1, 1), (3, 2)])
def test_an_epoch_in_a_keyed_order_has_every_sample_once(slices, accumulate):
    """Of a part of a set, in slices and processes, and from any window on."""
    split = Subset(small_split(60), torch.arange(59, 9, -1))
    expected = visits(0, 2, split.labels, kind="keyed").part(0, 50)

    def seen(start, process=(0, 1)):
        found = []

        def keeping(inputs, targets, epoch, indices):
            found.append(indices)
            return inputs, targets

        settings = {"slices": slices, "accumulate": accumulate, "process": process, "order": "keyed"}
        batches = TrainingBatches(split, 8, seed=0, prepare=preparation(), augment=keeping, **settings)
        for window in batches.windows(2, start):
            list(window)
        return found

    assert torch.equal(torch.cat(seen(0)), expected)
    assert torch.equal(torch.cat(seen(1)), expected[8 * accumulate :])
    if slices > 1:
        both = torch.cat([part for rank in range(2) for part in seen(0, (rank, 2))])
        assert both.sort().values.tolist() == list(range(50))


def test_a_run_records_its_order_and_goes_on_with_it(tmp_path):
    """Another order is another run; so are other bits."""
    settings = {"data": small_dataset(), "epochs": 1, "batch_size": 8, "validation": 10, "threads": 1}

    def model():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 3))

    table = zoo.train(model(), **settings, out=tmp_path / "table")
    keyed = zoo.train(model(), **settings, order="keyed", out=tmp_path / "keyed")
    assert (table.config.train.order, keyed.config.train.order) == ("table", "keyed")
    assert outcome(table.directory).weights != outcome(keyed.directory).weights
    with pytest.raises(UsageError, match=r"train\.order is 'keyed' there and 'table' here"):
        zoo.train(model(), **settings, order="table", out=tmp_path / "keyed")
    config = tmp_path / "table" / "config.toml"
    config.write_text(config.read_text().replace('order = "table"\n', ""))  # as before there was another
    assert zoo.train(model(), **settings, order="table", out=tmp_path / "table").config.train.order == "auto"
    with pytest.raises(UsageError, match=r"train\.order is 'table' there and 'keyed' here"):
        zoo.train(model(), **settings, order="keyed", out=tmp_path / "table")
    with pytest.raises(UsageError, match="give --order table"):
        zoo.train(model(), **settings, order="keyed", balance=0.5, out=tmp_path / "balanced")
