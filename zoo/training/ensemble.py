"""Several models as one: each is given the images as it knows them, and their answers are averaged."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zoo.training.fixed_resize import FixedResize, Size


class Ensemble(nn.Module):
    """Models that answer together, with the mean of their probabilities.

    Args:
        models: At least one; each maps its own inputs to logits (N, K).
        inputs: For each of them what turns the ensemble's inputs into its own, a module without weights; by default
            all take them as they are.

    Source: Hansen and Salamon 1990; Lakshminarayanan et al. 2017, who average probabilities, too.
    """

    def __init__(self, models: Sequence[nn.Module], inputs: Sequence[nn.Module] = ()) -> None:
        super().__init__()
        self.members = nn.ModuleList(models)
        self.inputs = nn.ModuleList(inputs or [nn.Identity() for _ in models])

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs (N, C, H, W) to the logarithms of the mean probabilities, float32 (N, K)."""
        pairs = zip(self.members, self.inputs, strict=True)
        return log_mean_probabilities([member(own(inputs)) for member, own in pairs])


def log_mean_probabilities(answers: Sequence[Tensor]) -> Tensor:
    """Return the logarithms of the mean over several models' probabilities: logits that any criterion takes.

    Args:
        answers: Logits (N, K) each.

    Returns:
        float32 (N, K); their softmax is the mean itself.
    """
    logarithms = torch.stack([logits.float().log_softmax(1) for logits in answers])  # (V, N, K)
    return logarithms.logsumexp(0) - math.log(len(answers))


class MemberInputs(nn.Module):
    """Turns what an ensemble is given into what a member takes: its channels, its normalisation, its size.

    Args:
        given: Mean and standard deviation by which the ensemble's inputs are normalised, a number a channel, where
            white is 1.
        own: The member's, for as many channels, or for three where there is one.
        size: (H, W) of the ensemble's inputs.
        own_size: The member's.
        interpolation: ``"nearest"``, ``"bilinear"`` or ``"bicubic"``.
    """

    scale: Tensor
    shift: Tensor

    def __init__(
        self,
        given: tuple[Sequence[float], Sequence[float]],
        own: tuple[Sequence[float], Sequence[float]],
        *,
        size: Size,
        own_size: Size,
        interpolation: str,
    ) -> None:
        super().__init__()
        (given_mean, given_std), (mean, std) = (
            [torch.tensor(numbers, dtype=torch.float64).view(-1, 1, 1) for numbers in statistics]
            for statistics in (given, own)
        )
        self.channels = len(mean)
        self.normalises = (*map(tuple, given),) != (*map(tuple, own),)
        self.register_buffer("scale", (given_std / std).float(), persistent=False)
        self.register_buffer("shift", ((given_mean - mean) / std).float(), persistent=False)
        black, white = (-mean / std).float(), ((1 - mean) / std).float()
        self.resize = FixedResize(size, own_size, interpolation, black=black, white=white)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs (N, C, H, W) to inputs (N, C', H', W')."""
        if inputs.shape[1] != self.channels:  # grey for a member of colour
            inputs = inputs.expand(-1, self.channels, -1, -1)
        if self.normalises:
            inputs = inputs * self.scale + self.shift
        resized: Tensor = self.resize(inputs)
        return resized
