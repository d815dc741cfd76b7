"""The optimizers of this plugin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.optim import Optimizer


class SignDescent(Optimizer):
    """Moves every weight by the rate, against the sign of its momentum.

    Source: Bernstein et al. 2018, signSGD with momentum; weight decay is decoupled, as in AdamW.
    """

    def __init__(self, params: Any, lr: float, momentum: float, weight_decay: float) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Change the parameters once. All that it remembers is in ``self.state``, so that runs can be resumed."""
        if closure is not None:
            raise ValueError("no closure is needed")
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["momentum"] = torch.zeros_like(parameter)
                state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.sub_(state["momentum"].sign(), alpha=group["lr"])
        return None


def penguin_sign(params: Any, *, lr: float = 1e-3, momentum: float = 0.9, weight_decay: float = 0.01) -> Optimizer:
    """Build sign descent with momentum.

    Args:
        params: Tensors, or groups of them.
        lr: How far each weight moves in a step, above 0.
        momentum: Share of the old momentum that is kept, in [0, 1).
        weight_decay: Share of a weight that a step at rate 1 would take away, at least 0.

    Raises:
        ValueError: If an option is outside its range.
    """
    if not lr > 0:
        raise ValueError(f"lr must be above 0, not {lr!r}")
    if not 0 <= momentum < 1:
        raise ValueError(f"momentum must be in [0, 1), not {momentum!r}")
    if not weight_decay >= 0:
        raise ValueError(f"weight_decay must be at least 0, not {weight_decay!r}")
    return SignDescent(params, lr, momentum, weight_decay)
