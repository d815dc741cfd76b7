"""The module that is exported: from stored images to logits and probabilities, with nothing left to do outside."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.runs.network import Network
from zoo.training.evaluation import evaluating
from zoo.training.fixed_resize import FixedResize, Size


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

    Args:
        network: The model and how its inputs are prepared.
        image_size: (H, W) of the images.
        temperature: What the logits are divided by before the softmax; None for nothing.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, network: ModelInFp32, image_size: Size, temperature: float | None) -> None:
        super().__init__()
        prepare = network.prepare
        self.model = network.model
        self.temperature = temperature
        self.channels = prepare.channels
        self.register_buffer("shift", prepare.shift.clone())
        self.register_buffer("scale", prepare.scale.clone())
        black, white = -prepare.shift * prepare.scale, (255 - prepare.shift) * prepare.scale
        wanted = prepare.size or image_size
        self.resize = FixedResize(image_size, wanted, prepare.interpolation, black=black, white=white)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits and the probabilities."""
        inputs = images.to(torch.float32)
        if images.shape[1] != self.channels:  # grey for a model of colour
            inputs = inputs.expand(-1, self.channels, -1, -1)
        logits: Tensor = self.model(self.resize((inputs - self.shift) * self.scale))
        logits = logits.float()
        tempered = logits if self.temperature is None else logits / self.temperature
        return logits, tempered.softmax(dim=1)
