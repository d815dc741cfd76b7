"""Where a model sees a class: maps are found, and light up where the class is."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.training.saliency import grad_cam, last_maps, occlusion


class Corners(nn.Module):
    """Knows four classes: which quarter of an image (N, 1, 8, 8) is bright."""

    def __init__(self) -> None:
        super().__init__()
        self.see = nn.Conv2d(1, 1, 1, bias=False)
        self.relu = nn.ReLU(inplace=True)
        self.head = nn.Linear(4, 4, bias=False)
        with torch.no_grad():
            self.see.weight.fill_(1)
            self.head.weight.copy_(torch.eye(4) * 8)

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.head(functional.avg_pool2d(self.relu(self.see(inputs)), 4).flatten(1))
        return logits


def bright(quarter: int) -> Tensor:
    image = torch.zeros(1, 1, 8, 8)
    row, column = divmod(quarter, 2)
    image[..., 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = 1
    return image


@pytest.mark.parametrize("quarter", range(4))
@pytest.mark.parametrize("method", ["grad-cam", "occlusion"])
def test_what_speaks_for_a_class_is_where_it_is(quarter: int, method: str):
    """Nearly all of the heat, whichever method; the model is as it was, without gradients."""
    model, image = Corners().requires_grad_(False).train(), bright(quarter)
    heat = grad_cam(model, image, quarter, "relu") if method == "grad-cam" else occlusion(model, image, quarter)
    assert heat.shape == (8, 8)
    assert heat.min() >= 0
    assert heat[image[0, 0] > 0].sum() > 0.99 * heat.sum() > 0
    assert all(module.training for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_what_speaks_against_a_class_is_no_heat():
    """For a class that is elsewhere there is none."""
    model = Corners()
    assert not grad_cam(model, bright(0), 3, "relu").any()
    assert not occlusion(model, bright(0), 3).any()


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (30, 7)])
def test_squares_cover_every_pixel_of_images_of_any_size(size: tuple[int, int]):
    """No place is left without a number."""
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 2))
    heat = occlusion(model, torch.rand(1, 1, *size), 0)
    assert heat.shape == size
    assert heat.isfinite().all()


def net(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (net(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True)), "2"),
        (net(nn.Conv2d(1, 4, 3), nn.MaxPool2d(2)), "0"),
        (net(nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU())), "0"),
        (nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), None),
        (nn.Sequential(nn.Conv2d(1, 4, 8), nn.Flatten(), nn.Linear(4, 3)), None),
        (net(nn.Conv2d(1, 4, 2, 2), *[nn.Linear(4, 4) for _ in range(3)]), None),
    ],
)
def test_the_maps_are_those_after_the_last_convolution(model: nn.Module, expected: str | None):
    """With what belongs to it, before pooling; none in perceptrons, for one place, or where much comes after."""
    assert last_maps(model, torch.rand(1, 1, 8, 8)) == expected
