"""A probe: the head alone, fitted to what the rest of a network sees in the training images.

The rest is run once or twice over the images, as they are and mirrored, and the head is then a ridge regression on the
classes: one decomposition gives the solutions for all penalties, and what each would say of an image that it was not
fitted to. So there is no rate, no step and nothing random in it, and no image has to be set aside. It is where tuning
begins.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.data import EvaluationBatches
from zoo.errors import UsageError
from zoo.training.evaluation import evaluating
from zoo.training.world import ALONE, World

PENALTIES = tuple(10 ** (power / 4) for power in range(-16, 9))
"""Penalties that are tried, from 1e-4 to 100, as multiples of the mean variance of what the head sees."""

TEMPERATURES = tuple(10 ** (power / 20) for power in range(31))
"""What scores are multiplied by, from 1 to 32: regression to 0 and 1 gives scores that are too close to be logits."""

_TRIED_ON = 2000  # images at most, and fewer where classes are many, since each penalty costs a product over both
_TRIED_SCORES = 200_000


@dataclass(frozen=True)
class Probe:
    """What it takes to probe a network.

    Attributes:
        forward: Maps inputs (N, C, H, W) to logits; the head is in it.
        head: The last layer, which is replaced.
        copies: Other layers that are to have the same weights, as that of an average.
        batches: This process's batches of the training images as they are.
        mirrored: Whether each image is looked at mirrored as well.
    """

    forward: nn.Module
    head: nn.Linear
    copies: Sequence[nn.Linear]
    batches: EvaluationBatches
    mirrored: bool = False

    def fit(self, batches: Iterable[tuple[Tensor, Tensor]], world: World = ALONE) -> tuple[float, int]:
        """Fit the head to *batches*, which are the probe's own; of several processes the first does it for all.

        Returns:
            The mean loss over the images as they are, as :meth:`solve` returns it, and how many there were.

        Raises:
            UsageError: If the head is given something else than a vector for each image.
        """
        features, labels = self.look(batches, world)
        return self.solve(features, labels, world), len(labels)

    def look(self, batches: Iterable[tuple[Tensor, Tensor]], world: World = ALONE) -> tuple[Tensor, Tensor]:
        """Return what the head is given for the images of *batches*, of all processes, (N, V, D), and the labels, (N,).

        Raises:
            UsageError: If the head is given something else than a vector for each image.
        """
        dealt = world.gather(seen_by_head(self.forward, self.head, batches, mirrored=self.mirrored))
        # Whole batches were dealt in turn, so in turn they are taken up again.
        features, labels = (
            torch.cat([part for part in chain(*zip_longest(*parts)) if part is not None])
            for parts in zip(*dealt, strict=True)
        )
        return features, labels

    def solve(self, features: Tensor, labels: Tensor, world: World = ALONE) -> float:
        """Give the head, and its copies, the solution for these features, (N, V, D); return the mean loss.

        Where features are not finite, as those of ruined weights, nothing is changed, and the loss is not a number.
        """
        if not features.isfinite().all():
            return math.nan
        weight, bias, loss = world.first(lambda: fit_ridge(features, labels, self.head.out_features))
        with torch.no_grad():
            for layer in (self.head, *self.copies):
                layer.weight.copy_(weight)
                if layer.bias is not None:
                    layer.bias.copy_(bias)
        return loss


def seen_by_head(
    forward: nn.Module, head: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], *, mirrored: bool = False
) -> tuple[list[Tensor], list[Tensor]]:
    """Return what the head is given for each batch, float32 (B, V, D), and the labels, int64 (B,), on the CPU.

    There is one view of each image, or with *mirrored* a second one.

    Raises:
        UsageError: If the head is not given one vector for each image.
    """
    seen: list[Tensor] = []
    hook = head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().float().cpu()))
    features, labels = [], []
    try:
        with evaluating(forward):
            for inputs, targets in batches:
                for view in (inputs, inputs.flip(3)) if mirrored else (inputs,):
                    forward(view)
                if len(seen) != 1 + mirrored or any(part.ndim != 2 for part in seen):
                    raise UsageError(
                        "--tune probe needs a head that is given one vector for each image; use --tune head"
                    )
                features.append(torch.stack(seen, dim=1))
                seen.clear()
                labels.append(targets.cpu())
    finally:
        hook.remove()
    return features, labels


def can_be_probed(forward: nn.Module, head: nn.Module, inputs: Tensor) -> bool:
    """Whether the head is a linear layer that is given one vector for each of the *inputs*, (N, C, H, W)."""
    if not isinstance(head, nn.Linear):
        return False
    try:
        (seen,), _ = seen_by_head(forward, head, [(inputs, torch.empty(0))])
    except UsageError:
        return False
    return len(seen) == len(inputs)


def fit_ridge(features: Tensor, labels: Tensor, classes: int) -> tuple[Tensor, Tensor, float]:
    """Fit a ridge regression on the classes, and scale it so that its scores are logits.

    The penalty is the one with the least squared error on images that were left out, each by itself, with its other
    view; the scale the one with the least cross-entropy on the same. All features keep their own spread: brought to
    one, those that hardly vary are noise as loud as the others.

    Args:
        features: Floating (N, V, D): V views of each image.
        labels: int64 (N,).
        classes: K.

    Returns:
        The weight, float64 (K, D), and the bias, (K,), for features as they were given, and the mean cross-entropy
        over the first views.

    Source: Hoerl and Kennard 1970; leaving one out in closed form: Allen 1974; that tuning should begin at a fitted
        head: Kumar et al. 2022.
    """
    ridge = _Ridge(features.double(), labels, classes)
    penalty = min(PENALTIES, key=ridge.error_left_out)
    scores, tried = ridge.scores_left_out(penalty)
    scale = min(TEMPERATURES, key=lambda factor: float(functional.cross_entropy(scores * factor, tried)))
    weight, bias = ridge.solution(penalty)
    weight, bias = weight * scale, bias * scale
    loss = float(functional.cross_entropy(features[:, 0].double() @ weight.T + bias, labels))
    return weight, bias, loss


class _Ridge:
    """Ridge regressions of one problem with any penalty.

    Args:
        features: float64 (N, V, D).
        labels: int64 (N,).
        classes: K.
    """

    def __init__(self, features: Tensor, labels: Tensor, classes: int) -> None:
        images, self.views, _ = features.shape
        rows = features.flatten(0, 1)  # (N * V, D)
        targets = functional.one_hot(labels, classes).double().repeat_interleave(self.views, dim=0)
        self.shares, self.labels, self.mean = targets.mean(0), labels, rows.mean(0)
        self.left = targets - self.shares  # what is to be explained
        centred = rows - self.mean
        self.parts, self.sizes, self.axes = _principal(centred)
        self.along = self.parts.T @ self.left  # (R, K)
        self.unit = float(self.sizes.mean()) if len(self.sizes) else 1.0
        # Evenly through the classes, so that each has its share of what is tried on.
        count = min(images, _TRIED_ON, _TRIED_SCORES // classes + 1)
        by_class = torch.sort(labels, stable=True).indices
        self.tried = by_class[torch.arange(count) * images // count]

    def solution(self, penalty: float) -> tuple[Tensor, Tensor]:
        """Return the weight, (K, D), and the bias, (K,)."""
        weight = (self.axes @ (self.along / self._damped(penalty))).T
        return weight, self.shares - weight @ self.mean

    def error_left_out(self, penalty: float) -> float:
        """Return the summed squared error on the images that are tried, each left out of what was fitted."""
        return float(self._errors(penalty).square().sum())

    def scores_left_out(self, penalty: float) -> tuple[Tensor, Tensor]:
        """Return what is said of the first views of those images, (M, K), and their labels, (M,)."""
        first = self.tried * self.views
        return self.left[first] + self.shares - self._errors(penalty)[:, 0], self.labels[self.tried]

    def _damped(self, penalty: float) -> Tensor:
        return self.sizes.unsqueeze(1) + penalty * self.unit

    def _errors(self, penalty: float) -> Tensor:
        """Return targets minus what is said of an image that all of its views were left out for, (M, V, K).

        For the residuals e of an image's views and their block H of the hat matrix, that is the solution of
        (1 - H) x = e.
        """
        views = torch.arange(self.views)
        rows = (self.tried.unsqueeze(1) * self.views + views).flatten()
        parts = self.parts[rows]
        residuals = (self.left[rows] - parts @ (self.along / self._damped(penalty))).view(
            len(self.tried), self.views, -1
        )
        blocks = parts.view(len(self.tried), self.views, parts.shape[1])
        hat = (blocks / self._damped(penalty).T) @ blocks.mT + 1 / len(self.left)
        # An image without which nothing is left to fit to has no such error; it is then a large one.
        errors: Tensor = torch.linalg.solve(torch.eye(self.views, dtype=hat.dtype) * (1 + 1e-9) - hat, residuals)
        return errors


def _principal(centred: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the principal parts of rows, (N, D): coordinates (N, R), their squared sums (R,), and axes (D, R)."""
    wide = len(centred) <= centred.shape[1]
    sizes, vectors = torch.linalg.eigh(centred @ centred.T if wide else centred.T @ centred)
    kept = sizes > sizes[-1] * 1e-10
    sizes, vectors = sizes[kept], vectors[:, kept]
    if not wide:
        return centred @ vectors, sizes, vectors
    parts = vectors * sizes.sqrt()
    return parts, sizes, centred.T @ parts / sizes
