"""Computing activations again: the same bits, less kept, and the model as it was."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from small_images import small_dataset
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional

import zoo
from zoo.training.recomputing import Recomputed, blocks_of


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv, self.norm, self.drop = nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.Dropout(0.3)

    def forward(self, inputs: torch.Tensor, *, scale: float = 1.0) -> torch.Tensor:
        return inputs + scale * self.drop(self.norm(self.conv(inputs)).relu())


class Net(nn.Module):
    """A stem, a stage of blocks in a list and one in a row, and a head."""

    def __init__(self, num_classes: int = 3) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.first = nn.ModuleList([Residual(4), Residual(4)])
        self.second = nn.Sequential(Residual(4), nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU()))
        self.head = nn.Linear(4, num_classes)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        features = self.stem(inputs)
        for block in self.first:
            features = block(features, scale=0.5)
        return self.head(self.second(features).mean((2, 3)))


def net(num_classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Module:
    del in_channels, image_size
    return Net(num_classes)


def after_a_step(model: nn.Module, run: nn.Module) -> tuple[dict[str, torch.Tensor], int]:
    """Return gradients and buffers, and the bytes that autograd kept."""
    kept = []
    torch.manual_seed(1)
    inputs = torch.randn(6, 1, 8, 8)
    with saved_tensors_hooks(lambda tensor: kept.append(tensor.nbytes) or tensor, lambda tensor: tensor):
        loss = functional.cross_entropy(run(inputs), torch.arange(6) % 3)
    loss.backward()
    found = {name: parameter.grad for name, parameter in model.named_parameters()}
    return {**found, **dict(model.named_buffers()), "random": torch.rand(3)}, sum(kept)


def test_gradients_statistics_and_random_numbers_have_the_same_bits_and_less_is_kept():
    """With batch norm, whose statistics count each batch once, and dropout, whose masks are drawn once."""
    plain = Net().train()
    again = copy.deepcopy(plain)
    expected, much = after_a_step(plain, plain)
    found, little = after_a_step(again, Recomputed(again, blocks_of(again)))
    assert expected.keys() == found.keys()
    assert all(torch.equal(value, found[name]) for name, value in expected.items())
    assert little < 0.6 * much
    assert all("forward" not in vars(module) for module in again.modules())


def test_blocks_lie_beside_one_another():
    """A list's and a row's members; a row of single layers is one; layers by themselves are none."""
    model = Net()
    assert blocks_of(model) == [*model.first, *model.second]
    assert blocks_of(nn.Sequential(nn.Flatten(), nn.Linear(4, 3))) == []
    resnet = zoo.create("models", "torchvision/resnet18", num_classes=3, in_channels=3, image_size=(64, 64))
    assert len(blocks_of(resnet)) == 8


def test_a_run_has_the_bits_that_it_has_without(tmp_path: Path):
    """But for the setting; evaluations keep nothing anyway."""
    given = {"data": small_dataset(), "threads": 1, "epochs": 2, "dropout_masks": "torch", "report": False}
    plain = zoo.train(net, out=tmp_path / "plain", **given)
    again = zoo.train(net, out=tmp_path / "again", checkpoint_activations=True, **given)
    assert again.config.train.checkpoint_activations
    assert [result.loss for result in again.metrics] == [result.loss for result in plain.metrics]
    weights = again.model.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in plain.model.state_dict().items())


def test_what_cannot_be_is_told(tmp_path: Path):
    """A model without blocks, and the compiler beside it."""
    given = {"data": small_dataset(), "out": tmp_path / "run", "checkpoint_activations": True}
    with pytest.raises(zoo.UsageError, match=r"needs blocks of layers, of which .* has none"):
        zoo.train(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), **given)
    with pytest.raises(zoo.UsageError, match="exclude each other"):
        zoo.train(net, compile=True, **given)
