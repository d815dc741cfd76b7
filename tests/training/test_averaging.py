"""Exponential moving averages of weights and buffers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from zoo.errors import UsageError
from zoo.training.averaging import Average


def small_model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5)
    ).to(memory_format=torch.channels_last)


def train_step(model: nn.Module, seed: int) -> None:
    inputs = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.train()
    model(inputs).square().mean().backward()
    optimizer.step()
    optimizer.zero_grad()


def test_decay_zero_equals_the_model_to_the_bit():
    """Lessons row 10: parameters, running statistics and counters of the average are the model's."""
    model = small_model()
    average = Average(model, 0.0)
    for seed in range(3):
        train_step(model, seed)
        average.update()
        for key, value in model.state_dict().items():
            assert torch.equal(average.module.state_dict()[key], value), key


def test_the_average_follows_its_formula():
    """Weights and running statistics equal the recursion with warmed-up decay, computed in float64."""
    model = small_model()
    average = Average(model, 0.5)
    expected = {k: v.double() for k, v in model.state_dict().items() if v.is_floating_point()}
    for seed, decay in enumerate([1 / 10, 2 / 11, 3 / 12, 4 / 13, 5 / 14, 6 / 15, 7 / 16, 8 / 17, 9 / 18, 0.5, 0.5]):
        train_step(model, seed)
        average.update()
        state = model.state_dict()
        expected = {k: decay * v + (1 - decay) * state[k].double() for k, v in expected.items()}
    found = average.module.state_dict()
    for key, value in expected.items():
        torch.testing.assert_close(found[key].double(), value, rtol=1e-5, atol=1e-6)


def test_integer_buffers_are_copied():
    """Lessons row 10: batch norm's counter is the model's, not a mean of counts."""
    model = small_model()
    average = Average(model, 0.9)
    for seed in range(4):
        train_step(model, seed)
        average.update()
    assert average.module[1].num_batches_tracked.item() == 4


def test_keys_types_and_strides_are_the_models():
    """A file of the average loads into the model: equal keys in equal order, and channels_last is kept."""
    model = small_model()
    average = Average(model, 0.9)
    train_step(model, 0)
    average.update()
    own, other = model.state_dict(), average.module.state_dict()
    assert list(own) == list(other)
    for key, value in own.items():
        assert (other[key].dtype, other[key].stride()) == (value.dtype, value.stride()), key


def test_evaluating_the_average_never_changes_the_live_model():
    """Neither the model's state, nor its gradients, nor its training flags notice; no tensor is shared."""
    model = small_model()
    train_step(model, 0)
    average = Average(model, 0.9)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    average.update()
    average.module(torch.randn(2, 3, 8, 8))
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert all(module.training for module in model.modules())
    addresses = {value.data_ptr() for value in model.state_dict().values()}
    assert not addresses & {value.data_ptr() for value in average.module.state_dict().values()}


def test_the_average_needs_no_gradients():
    """Nothing is recorded while updating, and no parameter of the average asks for a gradient or carries one."""
    model = small_model()
    model(torch.randn(2, 3, 8, 8)).sum().backward()
    average = Average(model, 0.9)
    average.update()
    for parameter in average.module.parameters():
        assert parameter.grad is None
        assert not parameter.requires_grad
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_tied_weights_are_averaged_once_and_stay_tied():
    """A tensor with two names takes part in an update once."""
    model = nn.ModuleDict({"a": nn.Linear(3, 3), "b": nn.Linear(3, 3)})
    model["b"].weight = model["a"].weight
    average = Average(model, 0.99)
    start = average.module["a"].weight.clone()
    with torch.no_grad():
        model["a"].weight.add_(1)
    average.update()
    assert average.module["a"].weight is average.module["b"].weight
    torch.testing.assert_close(average.module["a"].weight, start + 0.9)


def test_mixed_types_are_averaged_each_in_its_own():
    """Single and double precision parameters, and a bf16 buffer, in one model."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).double())
    model.register_buffer("level", torch.zeros((), dtype=torch.bfloat16), persistent=False)
    average = Average(model, 0.99)
    start = [tensor.clone() for tensor in (*model.parameters(), *model.buffers())]
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.add_(1)
    average.update()
    for kept, before in zip((*average.module.parameters(), *average.module.buffers()), start, strict=True):
        torch.testing.assert_close(kept.detach(), before + 0.9)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_weights_in_which_an_average_would_stand_still_are_refused(dtype):
    """A thousandth of the way is less than such a number can go."""
    with pytest.raises(UsageError, match=f"--ema cannot average weights in {str(dtype)[6:]}"):
        Average(nn.Linear(2, 2).to(dtype), 0.999)


def test_a_mask_stays_what_it_is():
    """Minus infinity has no mean with itself; the rest of the model is averaged."""
    model = nn.Linear(2, 2)
    model.register_buffer("mask", torch.tensor([0.0, -math.inf]))
    average = Average(model, 0.99)
    start = model.weight.detach().clone()
    with torch.no_grad():
        model.weight.add_(1)
    average.update()
    assert average.module.mask.tolist() == [0.0, -math.inf]
    torch.testing.assert_close(average.module.weight.detach(), start + 0.9)


class Centred(nn.Module):
    """Puts new tensors in its buffers' places, one of which has another shape then, and one was not there."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.register_buffer("centre", torch.zeros(2))
        self.register_buffer("seen", torch.zeros(0))
        self.register_buffer("last", None)

    def forward(self, inputs):
        self.centre = 0.5 * self.centre + 0.5 * inputs.mean(0)
        self.seen = inputs
        self.last = inputs[-1]
        return self.scale * (inputs - self.centre)


def test_buffers_that_a_model_replaces_are_averaged_too():
    """The average follows the tensors that stand in the model now, not those that stood there when it was made."""
    model = Centred()
    average = Average(model, 0.99)
    for step, expected in enumerate([0.9 * 0.5, 0.9 * 0.5 * 2 / 11 + 0.75 * 9 / 11]):
        model(torch.ones(3 + step, 2))
        average.update()
        torch.testing.assert_close(average.module.centre, torch.full((2,), expected))
        assert torch.equal(average.module.seen, model.seen)
        assert average.module.seen is not model.seen
        assert torch.equal(average.module.last, model.last)


def test_a_restored_average_goes_on_bit_for_bit():
    """Saved after three updates and loaded into a fresh average, the later ones give equal bits."""
    model = small_model()
    average = Average(model, 0.9)
    for seed in range(3):
        train_step(model, seed)
        average.update()
    saved = {k: v.clone(memory_format=torch.contiguous_format) for k, v in average.module.state_dict().items()}
    restored = Average(model, 0.9)
    restored.module.load_state_dict(saved)
    restored.updates = average.updates
    for seed in range(3, 6):
        train_step(model, seed)
        average.update()
        restored.update()
    for (key, value), other in zip(
        average.module.state_dict().items(), restored.module.state_dict().values(), strict=True
    ):
        assert torch.equal(value, other), key
        assert value.stride() == other.stride()


@pytest.mark.parametrize("decay", [-0.1, 1.0, float("nan")])
def test_a_decay_out_of_range_is_refused(decay):
    """A decay of 1 would never move."""
    with pytest.raises(ValueError, match="decay must be from 0 to below 1"):
        Average(small_model(), decay)


@pytest.mark.filterwarnings("ignore:.*jit.script.* is deprecated")
def test_a_scripted_model_is_averaged():
    """It has no `requires_grad_` of its own."""
    average = Average(torch.jit.script(nn.Linear(2, 3)), 0.5)
    average.update()
    assert not any(parameter.requires_grad for parameter in average.module.parameters())
