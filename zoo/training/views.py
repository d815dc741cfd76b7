"""Test-time augmentation: a trained model looks at several views of each image, and its answers are averaged."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from zoo.training.ensemble import log_mean_probabilities

Views = Callable[[Tensor], Sequence[Tensor]]
"""Maps inputs (B, C, H, W), floating, to views of them, each of the same shape and type, the first the inputs."""


class Viewed(nn.Module):
    """A model that answers with the mean of the probabilities that it gives several views of an image.

    Args:
        model: Maps inputs (B, C, H, W) to logits (B, K).
        views: Applied one after the other, each to every view that the ones before gave.
    """

    def __init__(self, model: nn.Module, views: Sequence[Views]) -> None:
        super().__init__()
        self.model = model
        self._views = tuple(views)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs (B, C, H, W) to the logarithms of the mean probabilities, float32 (B, K)."""
        shown = [inputs]
        for views in self._views:
            shown = [view for each in shown for view in views(each)]
        return log_mean_probabilities([self.model(view) for view in shown])
