"""The losses of an epoch."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zoo.training.losses import LossRecord

LOSSES = st.floats(0, 100, width=32)


def record(batches: list[tuple[float, int]]) -> LossRecord:
    losses = LossRecord()
    for value, size in batches:
        losses.add(torch.tensor(value), torch.zeros(size))
    return losses


@given(st.lists(st.tuples(LOSSES, st.integers(1, 9)), min_size=1, max_size=20))
def test_the_mean_is_over_samples_not_over_batches(batches):
    """The epoch's loss is the sum over samples divided by their number, whatever the batches' sizes."""
    expected = math.fsum(value * size for value, size in batches) / sum(size for _, size in batches)
    assert record(batches).mean() == pytest.approx(expected, rel=1e-12)


def test_a_stretch_is_divided_by_its_own_batches():
    """A shorter last stretch is the mean of exactly its batches."""
    losses = record([(1.0, 2), (2.0, 2), (3.0, 2), (4.0, 2), (9.0, 1)])
    assert losses.mean(0, 2) == 1.5
    assert losses.mean(4, 6) == 9.0


def test_the_first_non_finite_loss_is_found_long_after():
    """A loss that was not finite is still known by its batch when somebody reads."""
    losses = record([(1.0, 1), (math.inf, 1), (math.nan, 1), (1.0, 1)])
    assert losses.first_non_finite() == (1, math.inf)
    assert record([(1.0, 1)]).first_non_finite() is None


def test_a_restored_record_goes_on_with_the_same_numbers():
    """What was put back and added to equals what was never interrupted."""
    whole = record([(0.1, 3), (0.2, 4), (0.7, 1)])
    part = record([(0.1, 3), (0.2, 4), (0.0, 9)])
    part.restore(whole.values()[:2], whole.weights()[:2])
    part.add(torch.tensor(0.7), torch.zeros(1))
    assert part.mean() == whole.mean()
    part.clear()
    assert math.isnan(part.mean())


def test_thousands_of_losses_are_those_of_their_batches():
    """Losses that were packed and those that were not yet are read alike, also after a record was put back."""
    values = [float(i) for i in range(2100)]
    losses = record([(value, 1) for value in values])
    assert losses.values() == values
    again = LossRecord()
    again.restore(losses.values(), losses.weights())
    for value in values:
        again.add(torch.tensor(value), torch.zeros(1))
    assert again.values() == values * 2
    assert len(again) == 4200


def test_a_loss_in_double_precision_is_put_back_exactly():
    """What a run that goes on reports is what it would have reported, also where the criterion computes in fp64."""
    losses = LossRecord()
    losses.add(torch.tensor(0.1, dtype=torch.float64), torch.zeros(1))
    again = LossRecord()
    again.restore(losses.values(), losses.weights())
    assert again.values() == [0.1]
