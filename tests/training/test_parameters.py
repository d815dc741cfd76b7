"""Parameter groups: what decays, and at which rate each learns."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tunable_net import HEAD, tunable

from zoo.training.layer_groups import layer_groups
from zoo.training.parameters import groups_below, layer_rates, parameter_groups


def test_without_rates_the_groups_have_none():
    """What decays and what does not, or where nothing does, one group in that order."""
    net = tunable(3, 1, (8, 8))
    decayed, spared = parameter_groups(net)
    assert (decayed.keys(), spared.keys()) == ({"params"}, {"params", "weight_decay"})
    (both,) = parameter_groups(net, decays=False)
    assert list(map(id, both["params"])) == list(map(id, [*decayed["params"], *spared["params"]]))


@given(decay=st.floats(0.01, 0.99), head=st.floats(0.1, 100), lr=st.floats(1e-6, 1))
def test_rates_are_absolute_and_fall_from_the_head_down(decay, head, lr):
    """Each group's is its own, whatever a schedule does later; every parameter stands in one group."""
    net = tunable(3, 1, (8, 8))
    groups = layer_groups(net)
    rates = layer_rates(groups, lr=lr, layer_decay=decay, head_lr=head)
    found = parameter_groups(net, rates)
    by_name = {id(parameter): name for name, parameter in net.named_parameters()}
    seen = {by_name[id(parameter)]: group["lr"] for group in found for parameter in group["params"]}
    assert seen == rates
    assert sum(len(group["params"]) for group in found) == len(by_name)
    assert rates["head.weight"] == pytest.approx(lr * head)
    assert rates["wide.bias"] == pytest.approx(lr * decay)
    assert rates["stem.1.weight"] == pytest.approx(lr * decay**3)


@given(decay=st.floats(0.01, 1), share=st.floats(0.001, 1))
def test_the_groups_below_a_share_are_those_that_come_first(decay, share):
    """All that follow have at least that, and the head is never among them."""
    groups = layer_groups(tunable(3, 1, (8, 8)))
    rates = layer_rates(groups, lr=1.0, layer_decay=decay, head_lr=1.0)
    by_group = [rates[group[0]] if rates else 1.0 for group in groups]
    count = groups_below(share, len(groups), decay)
    assert all(rate < share for rate in by_group[:count])
    assert all(rate >= share for rate in by_group[count:])


def test_no_decay_and_no_head_rate_are_no_rates():
    """So that nothing is another than without them."""
    assert layer_rates(layer_groups(tunable(3, 1, (8, 8))), lr=0.1, layer_decay=1.0, head_lr=1.0) is None


def test_the_head_comes_last_as_in_the_model():
    """Muon takes the last matrix for the classifier."""
    net = tunable(3, 1, (8, 8))
    rates = layer_rates(layer_groups(net), lr=0.1, layer_decay=0.5, head_lr=1.0)
    groups = parameter_groups(net, rates)
    assert any(parameter is net.get_parameter(HEAD[0]) for parameter in groups[-2]["params"])
    torch.optim.AdamW(groups, lr=0.1)
