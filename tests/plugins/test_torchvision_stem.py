"""First convolutions for other numbers of channels: what they give, and what stays of them."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional
from zoo_torchvision.stem import adapted_filters, replace_stem

WEIGHT = torch.arange(2 * 3 * 2 * 2, dtype=torch.float64).reshape(2, 3, 2, 2)


@pytest.mark.parametrize("channels", [1, 3, 6, 9])
def test_equal_channels_give_what_a_grey_colour_image_gives(channels: int):
    """So that what the filters have learnt is of use."""
    grey = torch.rand(1, 1, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = functional.conv2d(grey.expand(1, 3, 5, 5), WEIGHT)
    found = functional.conv2d(grey.expand(1, channels, 5, 5), adapted_filters(WEIGHT, channels))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("channels", [2, 4, 5, 7])
def test_other_numbers_take_the_colours_in_turn(channels: int):
    """Scaled so that as many channels weigh as much as three."""
    found = adapted_filters(WEIGHT, channels)
    assert found.shape == (2, channels, 2, 2)
    for channel in range(channels):
        torch.testing.assert_close(found[:, channel], WEIGHT[:, channel % 3] * 3 / channels)


def test_colours_stay_as_they_are():
    """Nothing is copied either."""
    assert adapted_filters(WEIGHT, 3) is WEIGHT


def net(*, bias: bool = True) -> nn.Module:
    first = nn.Conv2d(3, 8, kernel_size=3, stride=2, padding=1, dilation=2, bias=bias)
    return nn.Sequential(nn.Sequential(first, nn.ReLU()), nn.Conv2d(8, 4, kernel_size=1))


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("bias", [True, False])
def test_all_but_the_channels_of_a_stem_stays(channels: int, bias: bool):
    """Strides, padding, dilation and the bias, with its values; the rest of the model is the same object."""
    model = net(bias=bias)
    old, rest = model.get_submodule("0.0"), model.get_submodule("1")
    shape = model(torch.zeros(1, 3, 9, 9)).shape
    assert replace_stem(model, channels) == "0.0"
    new = model.get_submodule("0.0")
    assert isinstance(new, nn.Conv2d)
    assert new is not old
    assert model.get_submodule("1") is rest
    assert model(torch.zeros(1, channels, 9, 9)).shape == shape
    assert (new.bias is None) == (not bias)
    if new.bias is not None:
        assert isinstance(old, nn.Conv2d)
        assert old.bias is not None
        assert torch.equal(new.bias, old.bias)


def test_a_stem_of_as_many_channels_is_left_alone():
    """Its name is told all the same: weights are matched by it."""
    model = net()
    old = model.get_submodule("0.0")
    assert replace_stem(model, 3) == "0.0"
    assert model.get_submodule("0.0") is old


def test_a_stem_without_numbers_stays_without():
    """As models are built whose cost is counted."""
    with torch.device("meta"):
        model = net()
    replace_stem(model, 1)
    assert model.get_submodule("0.0").weight.is_meta
