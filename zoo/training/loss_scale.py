"""Scaled losses, so that small gradients do not vanish in half precision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import nn

from zoo.data import Batch
from zoo.errors import ZooError

_FIRST, _LEAST = 2.0**16, 2.0**-24
_PATIENCE = 2000  # good steps after which twice the scale is tried


class LossScale:
    """A factor on the loss that keeps float16 gradients within their range: halved where they left it, else doubled.

    The factor is a power of two, so that taking it off a gradient again rounds nothing. It is decided by the summed
    gradients of a step, so that all processes of a run have the same.

    Args:
        model: Whose gradients are scaled.

    Attributes:
        scale: The factor of the next step.

    Source: Micikevicius et al. 2018; the numbers are those of torch.amp.GradScaler.
    """

    def __init__(self, model: nn.Module) -> None:
        self._parameters = list(model.parameters())
        self.scale = _FIRST
        self._good = 0

    def scaled(self, window: Iterable[Batch]) -> Iterator[Batch]:
        """Yield a step's batches with shares that the factor is part of, so that the loop multiplies the loss by it."""
        for batch in window:
            device = batch.inputs.device
            factor = torch.full((), self.scale, dtype=torch.float32, device=device)
            yield batch._replace(share=factor if batch.share is None else batch.share * factor)

    def unscale(self) -> bool:
        """Take the factor off the gradients, and say whether all are finite; decide the next one. Waits for the device.

        Raises:
            ZooError: If they are not finite at any scale.
        """
        gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
        torch._foreach_mul_(gradients, 1 / self.scale)
        finite = bool(nn.utils.get_total_norm(gradients, float("inf")).isfinite())
        self._good = self._good + 1 if finite else 0
        if not finite:
            self.scale /= 2
        elif self._good == _PATIENCE:
            self.scale, self._good = self.scale * 2, 0
        if self.scale < _LEAST:
            raise _never_finite()
        return finite

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs."""
        return {"scale": self.scale, "good": self._good}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.scale, self._good = float(state["scale"]), int(state["good"])


def _never_finite() -> ZooError:
    error = ZooError(
        "the gradients are not finite in fp16, however small the loss is scaled. "
        "Try --precision bf16 or fp32, or a lower --lr."
    )
    error.is_common = True  # all processes have the same gradients
    return error
