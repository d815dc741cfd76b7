"""What a pass costs, counted without computing it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from zoo.inspection.cost import Cost, cost_of
from zoo.inspection.meta import on_meta


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 10))


def test_a_small_network_is_counted_by_hand():
    """A convolution of 6 x 6 places, 4 filters of 27 numbers, and a product of 144 by 10."""
    with on_meta():
        cost = cost_of(network(), (3, 8, 8))
    assert cost == Cost(parameters=108 + 8 + 1450, macs=36 * 4 * 27 + 1440, activations=36 * 4 + 10)


def test_attention_agrees_with_torch_s_own_counter():
    """Both take torch's formulas; zoo's passes need no values."""
    with torch.device("meta"):
        layer = nn.Sequential(nn.Conv2d(3, 16, 4, 4), nn.Flatten(2), nn.TransformerEncoderLayer(64, 4, 32))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        layer.eval()(torch.empty(1, 3, 32, 32, device="meta"))
    assert cost_of(layer, (3, 32, 32)).macs == counter.get_total_flops() // 2


def test_frozen_parameters_are_not_counted():
    """As in the transcript, parameters are those that are trained."""
    with on_meta():
        model = network()
    model[0].requires_grad_(False)
    assert cost_of(model, (3, 8, 8)).parameters == 8 + 1450


@pytest.mark.parametrize(
    ("layer", "shape", "macs", "activations"),
    [
        pytest.param(lambda: nn.Conv2d(4, 8, 3, padding=1), (4, 6, 6), 36 * 8 * 36, 8 * 36, id="padded"),
        pytest.param(lambda: nn.Conv2d(4, 8, 3, stride=2), (4, 7, 7), 9 * 8 * 36, 8 * 9, id="strided"),
        pytest.param(lambda: nn.Conv2d(4, 8, 3, dilation=2), (4, 7, 7), 9 * 8 * 36, 8 * 9, id="dilated"),
        pytest.param(lambda: nn.Conv2d(4, 4, 3, groups=4), (4, 6, 6), 16 * 4 * 9, 4 * 16, id="depthwise"),
        pytest.param(lambda: nn.Conv2d(4, 8, 3, groups=2), (4, 6, 6), 16 * 8 * 18, 8 * 16, id="in two groups"),
        pytest.param(lambda: nn.Conv2d(3, 5, (1, 3)), (3, 4, 6), 16 * 5 * 9, 5 * 16, id="a window of three columns"),
        pytest.param(lambda: nn.ConvTranspose2d(2, 3, 2, 2), (2, 4, 4), 16 * 2 * 3 * 4, 3 * 64, id="transposed"),
        pytest.param(lambda: nn.Linear(6, 5), (2, 4, 6), 8 * 6 * 5, 8 * 5, id="a product for each row"),
        pytest.param(lambda: nn.Sequential(nn.ReLU(), nn.AvgPool2d(2), nn.Flatten()), (3, 4, 4), 0, 0, id="no product"),
    ],
)
def test_each_kind_of_product_is_counted_by_hand(
    layer: Callable[[], nn.Module], shape: tuple[int, int, int], macs: int, activations: int
):
    """Places times filters times the numbers that a filter looks at; biases cost nothing, as is custom."""
    with on_meta():
        cost = cost_of(layer(), shape)
    assert (cost.macs, cost.activations) == (macs, activations)


class _Applied(nn.Module):
    """Does to its inputs what a function says, with two layers that the function may use."""

    def __init__(self, function: Callable[[nn.Module, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.one = nn.Linear(6, 6, bias=False)
        self.other = nn.Linear(6, 6, bias=False)
        self._function = function

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self._function(self, inputs)


def test_a_layer_that_is_used_twice_costs_twice_and_is_had_once():
    with on_meta():
        cost = cost_of(_Applied(lambda model, inputs: model.one(model.one(inputs))), (1, 2, 6))
    assert cost == Cost(parameters=72, macs=2 * 2 * 36, activations=2 * 2 * 6)


def test_tied_weights_are_counted_once():
    with on_meta():
        model = _Applied(lambda model, inputs: model.other(model.one(inputs)))
        model.other.weight = model.one.weight
        cost = cost_of(model, (1, 2, 6))
    assert (cost.parameters, cost.macs) == (36, 2 * 2 * 36)


def test_products_of_activations_count_without_parameters():
    """As in attention: each image's rows with its own columns."""
    with on_meta():
        cost = cost_of(_Applied(lambda _, inputs: inputs[:, 0] @ inputs[:, 0].transpose(1, 2)), (1, 4, 6))
    assert (cost.macs, cost.activations) == (4 * 4 * 6, 16)


def test_what_training_alone_does_costs_nothing():
    """The model is counted in evaluation mode: a branch for training is left out, and buffers are no parameters."""

    class Auxiliary(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head, self.extra = nn.Linear(6, 3), nn.Linear(6, 3)
            self.register_buffer("seen", torch.zeros(100))

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return self.head(inputs) + (self.extra(inputs) if self.training else 0)

    with on_meta():
        cost = cost_of(Auxiliary(), (1, 1, 6))
    assert cost == Cost(parameters=2 * 21, macs=18, activations=3)


@pytest.mark.parametrize("side", [8, 16, 32])
def test_a_convolution_s_cost_grows_with_the_image_and_its_parameters_do_not(side: int):
    with on_meta():
        small, large = (cost_of(nn.Conv2d(3, 4, 3, padding=1), (3, each, each)) for each in (side, 2 * side))
    assert large == Cost(small.parameters, 4 * small.macs, 4 * small.activations)


def test_inputs_that_a_model_refuses_are_its_own_fault():
    """The model's own error passes through."""
    with on_meta(), pytest.raises(RuntimeError, match="channel"):
        cost_of(nn.Conv2d(3, 4, 3), (1, 8, 8))
