"""Slices of a step: seeded alone, added in order, and the mean of the whole batch."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sliced import network, same, train
from small_images import preparation, small_split
from torch import nn

from zoo.data import TrainingBatches, share_of
from zoo.errors import PluginError
from zoo.training.losses import LossRecord
from zoo.training.slices import Slices, _joined, _put
from zoo.training.sums import RowSum
from zoo.training.world import World


class Kept(RowSum):
    """Keeps the rows of each step rather than sending them."""

    def __init__(self, layout, device, count):
        super().__init__(layout, device)
        self.rows = torch.zeros(count, layout.length, dtype=torch.uint8)
        self.layout, self.kept = layout, []

    def add(self, slices):
        self.kept.append((self.rows.clone(), slices, self.layout))


class OneOf(World):
    """A process of several, whose rows are kept."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size

    def row_sum(self, layout, slices, device, *, fast):
        self.sum = Kept(layout, device, max(1, -(-slices // self.size)))
        return self.sum


def test_a_sliced_batch_is_the_whole_batch_without_batch_norm_and_dropout():
    """The gradients of the slices, by their shares, add up to those of the batch; so do the losses."""
    whole, cut = network(norm=False, p=0.0), network(norm=False, p=0.0)
    one, four = train(whole, slices=1), train(cut, slices=4)
    for a, b in zip(whole.parameters(), cut.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)
    assert four.values() == pytest.approx(one.values(), abs=1e-6)
    assert four.weights() == one.weights() == [16, 16, 16, 2]


class Weighted(nn.CrossEntropyLoss):
    """A criterion that divides by the labels' weights, and says so."""

    def __init__(self):
        super().__init__(weight=torch.tensor([0.2, 1.0, 3.0]))

    def denominator(self, labels):
        return self.weight[labels].sum()


def test_slices_of_a_weighted_criterion_weigh_by_its_denominator():
    """Slices of equal size have unequal shares then."""
    whole, cut = network(norm=False, p=0.0), network(norm=False, p=0.0)
    one = train(whole, slices=1, accumulate=2, criterion=Weighted())
    three = train(cut, slices=3, accumulate=2, criterion=Weighted())
    for a, b in zip(whole.parameters(), cut.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)
    assert three.values() == pytest.approx(one.values(), abs=1e-6)


@pytest.mark.parametrize("size", [2, 3, 5])
def test_a_slice_leaves_the_same_row_in_whichever_process(size: int):
    """With batch norm and dropout, and more processes than a short last batch has slices."""

    def rows(world):
        train(network(), count=36, slices=4, world=world)
        return world.sum.kept

    whole, slices, layout = rows(OneOf(0, 1))[0]  # later steps begin with what was not added here
    found = []
    for rank in range(size):
        mine, _, own = rows(OneOf(rank, size))[0]
        found += [own.views(row) for row in mine[: len(share_of(slices, rank, size))]]
    assert len(found) == slices == 4
    for row, other in zip(whole, found, strict=True):
        assert all(map(torch.equal, layout.views(row), other))


def test_what_was_drawn_before_changes_no_bit_of_a_step():
    """Each slice has generators of its own, and leaves the same behind."""
    one, other = network(), network()
    torch.manual_seed(1)
    train(one)
    after = torch.rand(1)
    torch.manual_seed(2)
    train(other)
    assert same(one, other)
    assert torch.equal(torch.rand(1), after)


def test_batch_norm_takes_each_slice_by_itself_and_counts_the_step_once():
    """The running mean is that of the slices' running means, by their shares; a mean over equal ones is the batch's."""
    model = network(p=0.0)
    linear, norm = model[1], model[2]
    (window,) = TrainingBatches(small_split(16), 16, seed=0, prepare=preparation()).windows(0)
    expected = linear(window[0].inputs.flatten(1)).mean(0).mul(norm.momentum)
    train(model, count=16, slices=4)
    torch.testing.assert_close(norm.running_mean, expected, rtol=0, atol=1e-6)
    assert norm.num_batches_tracked.item() == 1


class Odd(nn.Module):
    """A model with a parameter that is used at times, and buffers that stand still."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.linear, self.unused = nn.Linear(64, 3), nn.Parameter(torch.ones(3))
        self.register_buffer("mask", torch.tensor([0.1, float("-inf"), 0.7]))
        self.register_buffer("index", torch.tensor([2, 0, 1], dtype=torch.uint8))

    def forward(self, inputs):
        return self.linear(inputs.flatten(1))


def test_unused_parameters_have_no_gradient_and_still_buffers_keep_their_bits():
    """A zero gradient would let weight decay and momentum move them; 0.1 times shares adds up to another number."""
    model = Odd()
    train(model, count=48, slices=3)
    assert model.unused.grad is None
    assert model.linear.weight.grad is not None
    assert torch.equal(model.mask, torch.tensor([0.1, float("-inf"), 0.7]))
    assert model.index.tolist() == [2, 0, 1]


class Counting(Odd):
    """A model with whole numbers of each type, which move in a step as no counter does."""

    START: ClassVar = {
        "steps": torch.tensor(2**40 - 1),
        "minus": torch.tensor([[-3, 7], [0, -(2**31)]], dtype=torch.int32),
        "bytes": torch.tensor([0, 127, 255], dtype=torch.uint8),
        "signed": torch.tensor([-128, 127], dtype=torch.int8),
        "marks": torch.tensor([True, False]),
        "none": torch.zeros(0, 2, dtype=torch.int64),
    }

    def __init__(self):
        super().__init__()
        for name, tensor in self.START.items():
            self.register_buffer(name, tensor.clone())

    def forward(self, inputs):
        for name in self.START:
            buffer = getattr(self, name)
            buffer.copy_(~buffer if buffer.dtype == torch.bool else buffer * 3 + 1)
        return super().forward(inputs)


def test_whole_numbers_of_any_type_travel_exactly_and_as_single_ones():
    """So that a row is added with one call; each is what the first slice made of it, once a step."""
    model = Counting()
    train(model, count=16, slices=4)
    for name, before in Counting.START.items():
        assert torch.equal(getattr(model, name), ~before if before.dtype == torch.bool else before * 3 + 1)


@pytest.mark.parametrize("model", [network(), Counting(), network().double()], ids=["norm", "any", "double"])
def test_a_row_of_one_kind_of_weights_has_one_type(model):
    """Batch norm's counter of steps would be a second one, and two processes would not add theirs by all-reduce."""
    world = OneOf(0, 2)
    Slices(model, LossRecord(), world, 0, 2)
    assert world.sum.layout.has_one_type


class Growing(Odd):
    """A model whose buffer takes another shape in a step."""

    def forward(self, inputs):
        self.mask = torch.zeros(len(inputs), 2)
        return super().forward(inputs)


def test_a_buffer_of_another_shape_is_refused():
    """There is no mean over slices then."""
    with pytest.raises(PluginError, match=r"changed its buffer 'mask' from shape \(3,\) to shape .*--slices 1"):
        train(Growing(), slices=2)


@given(
    number=st.floats(1e-15, 1e38) | st.floats(-1e38, -1e-15) | st.just(0.0) | st.integers(0, 2**53),
    as_tensor=st.booleans(),
)
def test_three_single_numbers_hold_a_double(number, as_tensor):
    """So that a row whose numbers are single ones alone loses no bit of a loss, or of what it is divided by."""
    line = torch.zeros(9)
    _put(line, 1, torch.tensor(number, dtype=torch.float64) if as_tensor else number)
    assert _joined(line) == [0.0, number, 0.0]


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_not_finite_stays_what_it_is(number, dtype):
    """The run is stopped by it."""
    line = torch.zeros(3)
    _put(line, 0, torch.tensor(number, dtype=dtype))
    assert str(_joined(line)) == str([number])


def test_a_double_goes_into_a_line_of_doubles_as_it_is():
    """There its range is larger, too."""
    line = torch.zeros(2, dtype=torch.float64)
    _put(line, 1, 1e300)
    assert _joined(line) == [0.0, 1e300]


def test_the_loss_of_a_slice_that_is_not_finite_is_its_batch_s():
    """An infinite one, too, whatever the others are."""

    class Bursts(nn.CrossEntropyLoss):
        calls = 0

        def forward(self, logits, targets):
            self.calls += 1
            return super().forward(logits, targets) * (float("inf") if self.calls == 6 else 1.0)

    losses = train(network(), slices=4, criterion=Bursts())
    assert losses.first_non_finite() == (1, float("inf"))
