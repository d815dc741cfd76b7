"""A first convolution for another number of channels than three."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def replace_stem(model: nn.Module, in_channels: int) -> str:
    """Let a model's first convolution take *in_channels* channels, and return the convolution's name.

    With another number than three it is replaced. Its weights are drawn with a spread that gives its outputs the spread
    which the model's own initialisation gives them with three channels.

    Args:
        model: One of torchvision's classifiers, all of which begin with a convolution of three channels.
        in_channels: C, at least 1.
    """
    name: str
    name, old = next((name, module) for name, module in model.named_modules() if isinstance(module, nn.Conv2d))
    if in_channels == old.in_channels:
        return name
    new = nn.Conv2d(
        in_channels,
        old.out_channels,
        kernel_size=old.kernel_size,  # type: ignore[arg-type]
        stride=old.stride,  # type: ignore[arg-type]
        padding=old.padding,  # type: ignore[arg-type]
        dilation=old.dilation,  # type: ignore[arg-type]
        bias=old.bias is not None,
        device=old.weight.device,
    )
    with torch.no_grad():
        if not old.weight.is_meta:
            new.weight.normal_(0.0, float(old.weight.std()) * math.sqrt(old.in_channels / in_channels))
        if new.bias is not None and old.bias is not None:
            new.bias.copy_(old.bias)
    parent, _, attribute = name.rpartition(".")
    setattr(model.get_submodule(parent), attribute, new)
    return name


def adapted_filters(weight: Tensor, in_channels: int) -> Tensor:
    """Return filters for colour images as filters for *in_channels* channels.

    Args:
        weight: (out_channels, 3, k, k).
        in_channels: C, at least 1.

    Returns:
        (out_channels, C, k, k): the colours' sum for grey images; else the colours in turn, scaled by 3 / C: equal
        channels give what a grey colour image gives where C is a multiple of 3, and about that elsewhere.

    Source: timm's adapt_input_conv. Changed: two channels are taken in turn, too.
    """
    colours = weight.shape[1]
    if in_channels == colours:
        return weight
    if in_channels == 1:
        return weight.sum(dim=1, keepdim=True)
    turns = torch.arange(in_channels, device=weight.device) % colours
    return weight.index_select(1, turns) * (colours / in_channels)
