"""A small network, its training, and an optimizer with a state of one's choice, for the tests of optimizers' state."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.optim import SGD, Optimizer


def network() -> nn.Module:
    """Return a small channels_last CNN with batch norm and a learnable scalar, the same each time."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 3), nn.Flatten(), nn.Linear(48, 5)
    )
    model.register_parameter("scale", nn.Parameter(torch.tensor(1.5)))
    return model.to(memory_format=torch.channels_last)


def train(model: nn.Module, optimizer: Optimizer, first: int, steps: int) -> None:
    """Take *steps* steps, of which number k has its own batch and random state, whoever takes it."""
    for number in range(first, first + steps):
        torch.manual_seed(number)
        inputs = torch.randn(4, 2, 8, 8).to(memory_format=torch.channels_last)
        loss = nn.functional.cross_entropy(model(inputs) * model.scale, torch.randint(0, 5, (4,)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


class Odd(SGD):
    """Plain SGD with whatever state a test gives it."""

    value: Any = None

    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for parameter in group["params"]:
                self.state[parameter]["odd"] = self.value
        return super().step(closure)
