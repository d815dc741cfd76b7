"""A small network with batch norm that may begin with weights that were learnt before, for tests of tuning."""

from __future__ import annotations

import torch
from torch import nn

HEAD = ("head.weight", "head.bias")


def tunable(num_classes: int, in_channels: int, image_size: tuple[int, int], pretrained: bool = False) -> nn.Module:
    """Build three blocks and a head; pretrained, the blocks' weights are others, the same each time."""
    net = nn.Sequential()
    net.add_module("stem", nn.Sequential(nn.Conv2d(in_channels, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()))
    net.add_module("block", nn.Sequential(nn.Conv2d(4, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()))
    net.add_module("pool", nn.Flatten())
    net.add_module("wide", nn.Linear(8 * image_size[0] * image_size[1], 16))
    net.add_module("head", nn.Linear(16, num_classes))
    if pretrained:
        generator = torch.Generator().manual_seed(7)
        with torch.no_grad():
            for name, parameter in net.named_parameters():
                if name not in HEAD:
                    parameter.copy_(torch.randn(parameter.shape, generator=generator) / parameter[0].numel() ** 0.5)
    return net
