"""Heads and layer groups, from what a model says or from its modules."""

from __future__ import annotations

import pytest
import timm
import torch
import torchvision
from torch import nn
from tunable_net import HEAD, tunable

import zoo
from zoo.training.layer_groups import head_of, layer_groups

SMALL = {"num_classes": 5}
TIMM = ["resnet18", "vit_tiny_patch16_224", "tf_efficientnet_lite0", "convnext_atto", "deit_tiny_distilled_patch16_224"]
TORCHVISION = {
    "resnet18": "fc",
    "mobilenet_v3_small": "classifier.3",
    "vit_b_16": "heads.head",
    "squeezenet1_1": "classifier.1",
    "efficientnet_b0": "classifier.1",
}


def on_meta(build, name: str) -> nn.Module:
    with torch.device("meta"):
        return build(name, **SMALL)


def test_a_plain_network_is_divided_into_its_blocks_and_its_head():
    """Containers are opened, a norm stays with its convolution, and the head is the last group by itself."""
    assert layer_groups(tunable(3, 1, (8, 8))) == [
        ["stem.0.weight", "stem.0.bias", "stem.1.weight", "stem.1.bias"],
        ["block.0.weight", "block.0.bias", "block.1.weight", "block.1.bias"],
        ["wide.weight", "wide.bias"],
        list(HEAD),
    ]


@pytest.mark.parametrize("name", [*TIMM, *TORCHVISION])
def test_groups_hold_every_parameter_once_and_end_with_the_head(name):
    """Of the libraries' models, too."""
    model = on_meta(timm.create_model if name in TIMM else torchvision.models.get_model, name)
    groups = layer_groups(model)
    assert sorted(each for group in groups for each in group) == sorted(each for each, _ in model.named_parameters())
    head, module = head_of(model)
    assert sorted(groups[-1]) == sorted(f"{head}.{each}" for each, _ in module.named_parameters())
    assert 5 in {len(parameter) for parameter in module.parameters()}
    assert len(groups) >= 8


@pytest.mark.parametrize("name", TORCHVISION)
def test_the_head_is_the_last_linear_layer_or_convolution(name):
    """Torchvision says nothing about it."""
    assert head_of(on_meta(torchvision.models.get_model, name))[0] == TORCHVISION[name]


def test_a_model_may_say_what_its_head_and_its_groups_are():
    """`head_name` and `layer_groups` come before what its modules look like."""
    net = tunable(3, 1, (8, 8))
    net.head_name = "wide"
    assert head_of(net) == ("wide", net.wide)
    names = [name for name, _ in net.named_parameters()]
    net.layer_groups = [names[:6], names[6:]]
    told = [names[:6], [name for name in names[6:] if "wide" not in name], names[8:10]]
    assert layer_groups(net) == told
    net.layer_groups = lambda: [names[:6], names[6:]]
    assert layer_groups(net) == told


def test_what_a_model_says_wrongly_is_told():
    """A head that is not there, groups that leave something out, and no head at all."""
    net = tunable(3, 1, (8, 8))
    net.layer_groups = [["stem.0.weight"]]
    with pytest.raises(zoo.PluginError, match=r"must hold every parameter once; look at 'block\.0\.bias'"):
        layer_groups(net)
    net.head_name = "haed"
    with pytest.raises(zoo.PluginError, match="says that its head is 'haed'"):
        head_of(net)
    with pytest.raises(zoo.PluginError, match="no layer that looks like its head"):
        head_of(nn.Sequential(nn.Flatten(), nn.BatchNorm1d(3)))
