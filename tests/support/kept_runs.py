"""Small runs with pages, for the tests of what is told of them."""

from __future__ import annotations

from pathlib import Path

import torch
from small_images import MEAN, STD, small_split
from torch import nn

import zoo
from zoo.data import Dataset


def small_run(path: Path, *, classes: list[str] | None = None, **settings: object) -> zoo.Run:
    """Train a linear model on made-up images of the *classes*, and return the run."""
    names = classes or ["ant", "bee", "cat"]
    dataset = Dataset(
        small_split(90, classes=len(names), size=12),
        small_split(40, classes=len(names), size=12, seed=1),
        names,
        [MEAN],
        [STD],
    )

    def linear(num_classes: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(144, num_classes))

    chosen = {"epochs": 2, "batch_size": 16, "threads": 1, "lr": 0.003, **settings}
    return zoo.train(linear, data=dataset, out=path, **chosen)  # type: ignore[arg-type]


def always(number: int, classes: int) -> nn.Module:
    """Return a model that says one class of everything, with weights to train that change nothing."""

    class Always(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.nothing = nn.Parameter(torch.zeros(1))

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            said = torch.zeros(len(inputs), classes)
            said[:, number] = 5.0
            return said + 0 * self.nothing

    return Always()
