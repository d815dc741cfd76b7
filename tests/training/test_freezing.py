"""What stands still: a pure function of the step, and nothing of it moves."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional
from tunable_net import HEAD, tunable

import zoo
from zoo.training.freezing import Freezing, batch_norms, frozen_names
from zoo.training.layer_groups import layer_groups

BLOCKS = ("stem.0.weight", "stem.0.bias", "stem.1.weight", "stem.1.bias")


def flags(net: nn.Module) -> tuple:
    learning = [name for name, parameter in net.named_parameters() if parameter.requires_grad]
    return learning, [name for name, module in net.named_modules() if module.training]


def steps(net: nn.Module, freezing: Freezing, count: int) -> None:
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.1, weight_decay=0.5)
    for step in range(count):
        net.train()
        freezing.apply(step)
        optimizer.zero_grad()
        functional.cross_entropy(net(torch.randn(6, 1, 8, 8)), torch.arange(6) % 3).backward()
        optimizer.step()


def test_what_is_frozen_does_not_move_by_a_bit():
    """Neither by gradients nor by weight decay, nor do the statistics of a batch norm in it; the rest learns."""
    net = tunable(3, 1, (8, 8))
    before = copy.deepcopy(net.state_dict())
    steps(net, Freezing(net, BLOCKS), 3)
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name]) == name.startswith("stem."), name


def test_frozen_batch_norms_keep_their_statistics_and_their_affine_weights():
    """All of them but one in the head, while the convolutions learn."""
    net = tunable(3, 1, (8, 8))
    before = copy.deepcopy(net.state_dict())
    steps(net, Freezing(net, (), norms=batch_norms(net, "head")), 3)
    still = {name for name, value in net.state_dict().items() if torch.equal(value, before[name])}
    assert still == {name for name in before if name.startswith(("stem.1", "block.1"))}
    assert batch_norms(net, "block") == {"stem.1"}


def test_no_gradient_is_computed_below_the_first_layer_that_learns():
    """What frozen layers see is kept for no backward pass: that is what freezing them saves."""
    net, graphs = tunable(3, 1, (8, 8)), {}
    for name, module in net.named_children():
        module.register_forward_hook(lambda _, __, seen, name=name: graphs.update({name: seen.requires_grad}))
    steps(net, Freezing(net, BLOCKS, norms=batch_norms(net, "head")), 1)
    assert graphs == {"stem": False, "block": True, "pool": True, "wide": True, "head": True}


@given(order=st.lists(st.integers(0, 20), min_size=1, max_size=6), until=st.none() | st.integers(1, 20))
def test_it_is_a_pure_function_of_the_step(order, until):
    """Whatever steps came before, as after a resume."""
    net, fresh = tunable(3, 1, (8, 8)), tunable(3, 1, (8, 8))
    freezing = Freezing(net, BLOCKS, until=until, norms={"block.1"})
    for step in order:
        net.train()
        freezing.apply(step)
    Freezing(fresh, BLOCKS, until=until, norms={"block.1"}).apply(order[-1])
    assert flags(net) == flags(fresh)
    assert ("stem.0.weight" in flags(net)[0]) == (until is not None and order[-1] >= until)
    assert "block.1.weight" not in flags(net)[0]


def test_in_the_end_all_learn_again_that_did_before_and_no_other():
    """A parameter that the plugin itself froze stays frozen."""
    net = tunable(3, 1, (8, 8))
    net.wide.bias.requires_grad_(False)
    before = flags(net)
    freezing = Freezing(net, {*BLOCKS, "wide.bias"}, norms={"block.1"})
    freezing.apply(0)
    freezing.release()
    net.train()
    assert flags(net) == before


def test_freeze_takes_a_number_of_groups_or_patterns():
    """From the input on; patterns are of parameters' names, several with commas."""
    groups = layer_groups(tunable(3, 1, (8, 8)))
    assert frozen_names(groups, 1) == set(BLOCKS)
    assert frozen_names(groups, "stem.*") == set(BLOCKS)
    assert frozen_names(groups, "*.0.bias, wide.*") == {"stem.0.bias", "block.0.bias", "wide.weight", "wide.bias"}
    with pytest.raises(zoo.UsageError, match=r"--freeze blok\.\* matches none .* such as 'stem.0.weight'"):
        frozen_names(groups, "blok.*")
    with pytest.raises(zoo.UsageError, match="--freeze 4 leaves nothing to train; there are 4 layer groups"):
        frozen_names(groups, 4)
    assert not set(HEAD) & frozen_names(groups, 3)
