"""The module that is exported: from stored images to logits and probabilities, with nothing left to do outside."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.files.resizing import resized
from zoo.runs.network import Network
from zoo.training.evaluation import evaluating

Size = tuple[int, int]


class ModelInFp32:
    """A run's model on the CPU, in fp32 and contiguous, with its own preparation: what an export must equal.

    Args:
        network: The run's; its model is moved.
    """

    def __init__(self, network: Network) -> None:
        self.model = network.model.to(device="cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        self.prepare = network.prepare_evaluation.plain()

    def __call__(self, images: Tensor) -> Tensor:
        """Map images, uint8 (N, C, H, W), to logits, float32 (N, K)."""
        with evaluating(self.model):
            logits: Tensor = self.model(self.prepare(images))
        return logits.float()


class ExportedModel(nn.Module):
    """Maps images, uint8 (N, C, H, W), to logits and probabilities, float32 (N, K) each.

    Resizing is two products with fixed matrices, as the images have one size: every runtime multiplies matrices alike,
    while each has an operator of its own for resizing.

    Args:
        network: The model and how its inputs are prepared.
        image_size: (H, W) of the images.
        temperature: What the logits are divided by before the softmax; None for nothing.
    """

    rows: Tensor
    columns: Tensor
    shift: Tensor
    scale: Tensor
    black: Tensor
    white: Tensor

    def __init__(self, network: ModelInFp32, image_size: Size, temperature: float | None) -> None:
        super().__init__()
        prepare = network.prepare
        self.model = network.model
        self.temperature = temperature
        self.channels = prepare.channels
        self.resizes = prepare.size not in (None, image_size)
        self.clamps = self.resizes and prepare.interpolation == "bicubic"
        self.register_buffer("shift", prepare.shift.clone())
        self.register_buffer("scale", prepare.scale.clone())
        self.register_buffer("black", -prepare.shift * prepare.scale)
        self.register_buffer("white", (255 - prepare.shift) * prepare.scale)
        rows, columns = resizing_matrices(image_size, prepare.size or image_size, prepare.interpolation)
        self.register_buffer("rows", rows)
        self.register_buffer("columns", columns.T.contiguous())

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits and the probabilities."""
        inputs = images.to(torch.float32)
        if images.shape[1] != self.channels:  # grey for a model of colour
            inputs = inputs.expand(-1, self.channels, -1, -1)
        inputs = (inputs - self.shift) * self.scale
        if self.resizes:
            inputs = self.rows @ inputs @ self.columns  # (N, C', H', W')
        if self.clamps:
            inputs = torch.minimum(torch.maximum(inputs, self.black), self.white)
        logits: Tensor = self.model(inputs)
        logits = logits.float()
        tempered = logits if self.temperature is None else logits / self.temperature
        return logits, tempered.softmax(dim=1)


def resizing_matrices(size: Size, wanted: Size, interpolation: str) -> tuple[Tensor, Tensor]:
    """Return the matrices (H', H) and (W', W) that resize an image X as ``rows @ X @ columns.T``.

    Args:
        size: (H, W) of the images.
        wanted: (H', W').
        interpolation: As `zoo.data.Preparation` knows it, whose filters these are.
    """
    shrinks = wanted[0] < size[0] or wanted[1] < size[1]
    return _matrix(size[0], wanted[0], interpolation, shrinks), _matrix(size[1], wanted[1], interpolation, shrinks)


def _matrix(length: int, wanted: int, interpolation: str, shrinks: bool) -> Tensor:
    """Return what resizing along one side does, (wanted, length): the resized unit vectors."""
    unit = torch.eye(length).view(1, 1, length, length)
    return resized(unit, (wanted, length), interpolation, antialias=shrinks)[0, 0]
