"""A probe: the head alone, fitted to what the rest of a network sees in the training images.

The rest is run once over the images as they are, and the head is then the solution of a small convex problem, in
seconds and without a rate. It is where tuning begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.data import EvaluationBatches
from zoo.errors import UsageError
from zoo.training.evaluation import evaluating
from zoo.training.features import given_to
from zoo.training.world import ALONE, World

STRENGTHS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
"""Strengths of the penalty that are tried, the strongest first."""

_USUAL = 1e-5
_FOLDS = 5
_TRIED_ON = 1000  # samples, so that trying takes seconds


@dataclass(frozen=True)
class Probe:
    """What it takes to probe a network.

    Attributes:
        forward: Maps inputs (N, C, H, W) to logits; the head is in it.
        head: The last layer, which is replaced.
        copies: Other layers that are to have the same weights, as that of an average.
        batches: This process's batches of the training images as they are.
    """

    forward: nn.Module
    head: nn.Linear
    copies: Sequence[nn.Linear]
    batches: EvaluationBatches

    def fit(self, batches: Iterable[tuple[Tensor, Tensor]], world: World = ALONE) -> tuple[float, int]:
        """Fit the head to *batches*, which are the probe's own; of several processes the first does it for all.

        Returns:
            The mean loss over the images, penalty left out, and how many images there were.

        Raises:
            UsageError: If the head is given something else than a vector for each image.
        """
        dealt = world.gather(seen_by_head(self.forward, self.head, batches))
        # Whole batches were dealt in turn, so in turn they are taken up again.
        features, labels = (
            torch.cat([part for part in chain(*zip_longest(*parts)) if part is not None])
            for parts in zip(*dealt, strict=True)
        )
        weight, bias, loss = world.first(lambda: fit_logistic(features, labels, self.head.out_features))
        with torch.no_grad():
            for layer in (self.head, *self.copies):
                layer.weight.copy_(weight)
                if layer.bias is not None:
                    layer.bias.copy_(bias)
        return loss, len(labels)


def seen_by_head(
    forward: nn.Module, head: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]
) -> tuple[list[Tensor], list[Tensor]]:
    """Return what the head is given for each batch, float32 (B, D), and the labels, int64 (B,), on the CPU.

    Raises:
        UsageError: If that is no vector.
    """
    seen: list[Tensor] = []
    labels = []
    with given_to(head) as given, evaluating(forward):
        for inputs, targets in batches:
            forward(inputs)
            labels.append(targets.cpu())
            seen += [part.float().cpu() for part in given]
            given.clear()
    if any(part.ndim != 2 for part in seen) or len(seen) != len(labels):
        raise UsageError("--tune probe needs a head that is given one vector for each image; use --tune head")
    return seen, labels


def can_be_probed(forward: nn.Module, head: nn.Module, inputs: Tensor) -> bool:
    """Whether the head is a linear layer that is given one vector for each of the *inputs*, (N, C, H, W)."""
    if not isinstance(head, nn.Linear):
        return False
    try:
        (seen,), _ = seen_by_head(forward, head, [(inputs, torch.empty(0))])
    except UsageError:
        return False
    return len(seen) == len(inputs)


def fit_logistic(features: Tensor, labels: Tensor, classes: int) -> tuple[Tensor, Tensor, float]:
    """Fit a multinomial logistic regression with a ridge penalty; the features are brought to one scale first.

    The penalty's strength is the one of `STRENGTHS` with the lowest loss on folds that were held out, where there are
    samples enough to tell.

    Args:
        features: Floating (N, D).
        labels: int64 (N,).
        classes: K.

    Returns:
        The weight, float64 (K, D), and the bias, (K,), for features as they were given, and the mean loss.

    Source: Alain and Bengio 2016, linear probes; that tuning should begin there: Kumar et al. 2022.
    """
    given = features.double()
    mean, spread = given.mean(0), given.std(0, correction=0)
    scale = torch.where(spread > 1e-9, 1 / spread.clamp(min=1e-9), 0.0) / given.shape[1] ** 0.5
    scaled = (given - mean) * scale
    turn = None
    if len(scaled) < scaled.shape[1]:  # the solution lies in the span of the samples: N unknowns a class, not D
        left, sizes, turn = torch.linalg.svd(scaled, full_matrices=False)
        scaled = left * sizes
    weight, bias = _solved(scaled, labels, classes, _chosen_strength(scaled, labels, classes))
    loss = float(functional.cross_entropy(scaled @ weight + bias, labels))
    columns = (turn.T @ weight if turn is not None else weight) * scale[:, None]
    return columns.T.contiguous(), bias - mean @ columns, loss


def _chosen_strength(scaled: Tensor, labels: Tensor, classes: int) -> float:
    count = min(len(labels), _TRIED_ON, 100 * _TRIED_ON // classes)
    if count < 2 * classes:
        return _USUAL
    # Samples at even steps through the classes, dealt to the folds in turn: each has its share of each class.
    by_class = torch.sort(labels, stable=True).indices
    tried = by_class[torch.arange(count) * len(labels) // count]
    fold = torch.arange(count) % _FOLDS
    losses = torch.zeros(len(STRENGTHS), dtype=torch.float64)
    for number in range(_FOLDS):
        kept, held = tried[fold != number], tried[fold == number]
        for place, strength in enumerate(STRENGTHS):
            weight, bias = _solved(scaled[kept], labels[kept], classes, strength, steps=50)
            losses[place] += functional.cross_entropy(scaled[held] @ weight + bias, labels[held], reduction="sum")
    return STRENGTHS[int(losses.argmin())]


def _solved(scaled: Tensor, labels: Tensor, classes: int, strength: float, steps: int = 200) -> tuple[Tensor, Tensor]:
    """Return the weight, (D, K), and bias, (K,), of least penalised loss, by L-BFGS from zero."""
    unknown = torch.zeros(scaled.shape[1] + 1, classes, dtype=scaled.dtype, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [unknown], max_iter=steps, tolerance_grad=1e-7, tolerance_change=1e-10, line_search_fn="strong_wolfe"
    )

    def penalised() -> Tensor:
        optimizer.zero_grad()
        loss = functional.cross_entropy(scaled @ unknown[:-1] + unknown[-1], labels)
        loss = loss + strength / 2 * unknown.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(penalised)  # type: ignore[no-untyped-call]
    solved = unknown.detach()
    return solved[:-1], solved[-1]
