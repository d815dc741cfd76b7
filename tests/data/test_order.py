"""The order of samples and the cuts between batches."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from zoo.data import batch_spans, sample_order, share_of
from zoo.data.order import cut, evenly


def test_the_order_is_a_pure_function_of_seed_and_epoch():
    """The same seed and epoch give the same permutation; another of either gives another."""
    order = sample_order(0, 0, 100).tolist()
    assert order == sample_order(0, 0, 100).tolist()
    assert sorted(order) == list(range(100))
    assert order not in (sample_order(0, 1, 100).tolist(), sample_order(1, 0, 100).tolist())


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
    order, spans = sample_order(0, 0, count), batch_spans(count, batch_size)[start:]
    assert [part.tolist() for part in cut(order, spans)] == [order[slice(*span)].tolist() for span in spans]


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
