"""The order of samples and the cuts between batches."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from zoo.data import batch_spans, sample_order, share_of
from zoo.data.order import TableOrder, balanced_order, cut, evenly


def test_the_order_is_a_pure_function_of_seed_and_epoch():
    """The same seed and epoch give the same permutation; another of either gives another."""
    order = sample_order(0, 0, 100).tolist()
    assert order == sample_order(0, 0, 100).tolist()
    assert sorted(order) == list(range(100))
    assert order not in (sample_order(0, 1, 100).tolist(), sample_order(1, 0, 100).tolist())


@given(
    counts=st.lists(st.integers(0, 60), min_size=2, max_size=5).filter(any),
    balance=st.floats(0.0, 1.0),
    epoch=st.integers(0, 99),
)
def test_a_balanced_order_visits_each_class_as_often_as_its_weight_says(counts, balance, epoch):
    """As many visits as samples, each sample's rounded up or down, each visit with a number of its own."""
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    order = balanced_order(3, epoch, labels, balance)
    assert torch.equal(order, balanced_order(3, epoch, labels, balance))
    assert len(order) == len(labels) == len(order.unique())
    visits = torch.bincount(order % len(labels), minlength=len(labels))
    weights = torch.bincount(labels).double().clamp(min=1).pow(-balance)[labels]
    expected = weights * (len(labels) / weights.sum())
    assert ((visits - expected).abs() < 1 + 1e-6).all()
    again, sample = order // len(labels), order % len(labels)
    for one, count in enumerate(visits.tolist()):
        assert sorted(again[sample == one].tolist()) == list(range(count))


def test_a_balanced_order_depends_on_seed_and_epoch_and_evens_classes_out():
    """With 1 each class is visited as often as any other; with 0 each sample once."""
    labels = torch.tensor([0] * 90 + [1] * 10)
    order = balanced_order(0, 0, labels, 1.0)
    assert torch.bincount(labels[order % 100]).tolist() == [50, 50]
    assert sorted(balanced_order(0, 0, labels, 0.0).tolist()) == list(range(100))
    others = [balanced_order(0, 1, labels, 1.0), balanced_order(1, 0, labels, 1.0)]
    assert not any(torch.equal(order, other) for other in others)


@given(count=st.integers(1, 300), batch_size=st.integers(1, 64))
def test_every_sample_is_in_one_batch_and_none_is_alone_at_the_end(count, batch_size):
    """Batches follow each other without a gap, none more than one too large; a lone last sample has company."""
    spans = batch_spans(count, batch_size)
    assert [start for start, _ in spans] == [0, *(stop for _, stop in spans[:-1])]
    assert spans[-1][1] == count
    sizes = [stop - start for start, stop in spans]
    assert max(sizes) <= batch_size + 1
    assert batch_size == 1 or count == 1 or min(sizes) > 1


@given(count=st.integers(1, 900), batch_size=st.integers(1, 9), start=st.integers(0, 3))
def test_what_is_cut_is_each_batch_s_slice(count, batch_size, start):
    """However many batches one call cuts, and wherever an epoch goes on, each gets its own samples."""
    table, spans = sample_order(0, 0, count), batch_spans(count, batch_size)[start:]
    found = list(cut(TableOrder(table), spans, lambda visited: visited + 7))
    assert [visited.tolist() for visited, _ in found] == [table[slice(*span)].tolist() for span in spans]
    assert all(torch.equal(visited + 7, places) for visited, places in found)


@given(count=st.integers(1, 500), slices=st.integers(1, 40), size=st.integers(1, 9))
def test_every_sample_is_in_one_slice_and_every_slice_in_one_process(count: int, slices: int, size: int):
    """Slices differ by one sample at most, and none but a lone batch's has one alone."""
    found = evenly(7, 7 + count, slices)
    assert [place for start, stop in found for place in range(start, stop)] == list(range(7, 7 + count))
    sizes = [stop - start for start, stop in found]
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= min(2, count)
    assert len(found) <= slices
    dealt = [number for rank in range(size) for number in share_of(len(found), rank, size)]
    assert dealt == list(range(len(found)))
