"""An exponential moving average of a model's weights, with its buffers."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from zoo.errors import UsageError
from zoo.training.sharding import is_sharded


class Average:
    """A running average of a model, kept as a second model that can be evaluated and saved.

    An update makes every floating parameter and buffer ``d * average + (1 - d) * model``. After t updates the next
    one's d is ``min(decay, (1 + t) / (10 + t))``, so that a short run, too, forgets its random start; with decay 0 the
    average is the model. Floating buffers are averaged like the weights, so that batch norm's running statistics fit
    them; other buffers, such as counters, are copied, and those that hold an infinity, such as an attention mask. The
    model itself is only read.

    Attributes:
        module: The average, in evaluation mode, with the model's keys; load into it, and set `updates`, to go on.
        updates: How often `update` was called.

    Args:
        model: What is averaged; later updates read it again.
        decay: In [0, 1), the weight of the past in one update: 0.999 looks back about 1000 steps.

    Raises:
        ValueError: If *decay* is outside [0, 1).
        UsageError: If a weight has less than single precision: its average would stand still.

    Source: Polyak and Juditsky 1992; the warm-up is that of TensorFlow's ExponentialMovingAverage.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay must be from 0 to below 1, not {decay!r}")
        self.decay = decay
        self.updates = 0
        for parameter in model.parameters():
            if parameter.is_floating_point() and parameter.dtype.itemsize < 4:
                kind = str(parameter.dtype).removeprefix("torch.")
                raise UsageError(
                    f"--ema cannot average weights in {kind}, which is too coarse for its small updates; "
                    "leave --ema out, or let the model keep its weights in float32"
                )
        with torch.no_grad():  # else the copy of a scripted module has a history
            self.module = copy.deepcopy(model).eval()
        for parameter in self.module.parameters():  # nor can such a module turn all gradients off at once
            parameter.requires_grad_(False).grad = None
        self._model = model
        self.pair()

    @torch.no_grad()
    def update(self) -> None:
        """Take in the model as it is now. Waits for no device, but where the model put another tensor into a buffer."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        if any(owner[name] is not tensor for owner, name, tensor in self._seen):
            self.pair()
        for averages, tensors in self._averaged.values():
            torch._foreach_lerp_(averages, tensors, 1 - decay)
        for kept, tensor in self._copied:
            kept.copy_(tensor)

    def pair(self) -> None:
        """Look the tensors up, also again where those of both modules were replaced.

        They are sorted into groups to average, of one device and type each, and pairs to copy; average's first.
        """
        self._averaged: dict[tuple[torch.device, torch.dtype, bool], tuple[list[Tensor], list[Tensor]]] = {}
        self._copied: list[tuple[Tensor, Tensor]] = []
        self._seen: list[tuple[dict[str, Tensor | None], str, Tensor | None]] = []
        for averaged, parameter in zip(self.module.parameters(), self._model.parameters(), strict=True):
            self._average(averaged, parameter)
        paired = set()
        for keeper, module in zip(self.module.modules(), self._model.modules(), strict=True):
            for name, tensor in module._buffers.items():
                self._seen.append((module._buffers, name, tensor))
                if tensor is None or id(tensor) in paired:
                    continue
                paired.add(id(tensor))
                kept = _fitting(keeper, name, tensor)
                # A mask's minus infinity has no mean with itself.
                if tensor.is_floating_point() and tensor.isfinite().all():
                    self._average(kept, tensor)
                else:
                    self._copied.append((kept, tensor))

    def _average(self, kept: Tensor, tensor: Tensor) -> None:
        averages, tensors = self._averaged.setdefault((tensor.device, tensor.dtype, is_sharded(tensor)), ([], []))
        averages.append(kept)
        tensors.append(tensor)


def _fitting(keeper: nn.Module, name: str, tensor: Tensor) -> Tensor:
    """Return *keeper*'s buffer, made anew from *tensor* where that has another form by now."""
    kept = keeper._buffers.get(name)
    if kept is None or (kept.shape, kept.dtype, kept.device) != (tensor.shape, tensor.dtype, tensor.device):
        kept = tensor.detach().clone()
        setattr(keeper, name, kept)
    return kept
