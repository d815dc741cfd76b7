"""An exponential moving average of a model's weights, with its buffers."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class Average:
    """A running average of a model, kept as a second model that can be evaluated and saved.

    An update makes every floating parameter and buffer ``d * average + (1 - d) * model``. After t updates the next
    one's d is ``min(decay, (1 + t) / (10 + t))``, so that a short run, too, forgets its random start; with decay 0 the
    average is the model. Floating buffers are averaged like the weights, so that batch norm's running statistics fit
    them; other buffers, such as counters, are copied. The model itself is only read.

    Attributes:
        module: The average, in evaluation mode, with the model's keys; load into it, and set `updates`, to go on.
        updates: How often `update` was called.

    Args:
        model: What is averaged; later updates read it again.
        decay: In [0, 1), the weight of the past in one update: 0.999 looks back about 1000 steps.

    Raises:
        ValueError: If *decay* is outside [0, 1).

    Source: Polyak and Juditsky 1992; the warm-up is that of TensorFlow's ExponentialMovingAverage.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay must be from 0 to below 1, not {decay!r}")
        self.decay = decay
        self.updates = 0
        with torch.no_grad():  # else the copy of a scripted module has a history
            self.module = copy.deepcopy(model).eval()
        for parameter in self.module.parameters():  # nor can such a module turn all gradients off at once
            parameter.requires_grad_(False).grad = None
        self._averaged, self._copied = _pairs(self.module, model)

    @torch.no_grad()
    def update(self) -> None:
        """Take in the model as it is now. Waits for no device."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        for averages, tensors in self._averaged:
            torch._foreach_lerp_(averages, tensors, 1 - decay)
        for kept, tensor in self._copied:
            kept.copy_(tensor)


def _pairs(
    average: nn.Module, model: nn.Module
) -> tuple[list[tuple[list[Tensor], list[Tensor]]], list[tuple[Tensor, Tensor]]]:
    """Return groups of tensors to average, of one device and type each, and pairs to copy; average's first."""
    groups: dict[tuple[torch.device, torch.dtype], tuple[list[Tensor], list[Tensor]]] = {}
    copied = []
    for kept, tensor in zip(_tensors(average), _tensors(model), strict=True):
        if not tensor.is_floating_point():
            copied.append((kept, tensor))
            continue
        averages, tensors = groups.setdefault((tensor.device, tensor.dtype), ([], []))
        averages.append(kept)
        tensors.append(tensor)
    return list(groups.values()), copied


def _tensors(module: nn.Module) -> list[Tensor]:
    """Return the parameters and buffers, each once, also those that a state dict leaves out."""
    return [*module.parameters(), *module.buffers()]
