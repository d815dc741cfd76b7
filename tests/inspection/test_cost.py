"""What a pass costs, counted without computing it."""

from __future__ import annotations

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
