"""How good a model is: exact sums over samples, each evaluated once, with the model as it was afterwards."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zoo.training.losses import as_numbers
from zoo.training.world import ALONE, World

_Outcome = tuple[Tensor, Tensor, Tensor, "Tensor | float"]
"""Of a batch: its logits (N, K), labels (N,), mean loss, and what that was divided by."""


@dataclass(frozen=True)
class Metrics:
    """What an evaluation found.

    Attributes:
        loss: Mean over the samples; 0 where the criterion counts none of them.
        accuracy: Share of the samples whose largest logit is the label's, in [0, 1].
        top5_accuracy: Share whose label is among the five largest, in [0, 1]; None with five classes or fewer,
            where it would say nothing.
        balanced_accuracy: The mean of the accuracies of the classes that have samples, in [0, 1].
        samples: How many were evaluated.
    """

    loss: float
    accuracy: float
    top5_accuracy: float | None
    balanced_accuracy: float
    samples: int


def standard_error(accuracy: float, samples: int) -> float:
    """Return how far an accuracy, in [0, 1], would vary over other samples: its binomial standard deviation."""
    return math.sqrt(accuracy * (1 - accuracy) / samples)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put *model* in evaluation mode without gradients; afterwards every submodule's flag is what it was.

    ``no_grad`` and not ``inference_mode``: a tensor that a model keeps from here can still be trained through.
    """
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module in training:
            module.training = True


def evaluate(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    criterion: Callable[[Tensor, Tensor], Tensor],
    denominator: Callable[[Tensor], Tensor | float] = len,
    record: Callable[[Tensor, Tensor, Tensor], None] | None = None,
    world: World = ALONE,
) -> Metrics:
    """Measure *model* on every sample of the batches: dropout bypassed, batch norm with its frozen estimates.

    Args:
        model: Maps inputs (N, C, H, W) to logits (N, K).
        batches: Pairs of inputs and labels, int64 (N,); at least one in some process.
        criterion: Maps logits and labels to the mean loss over the batch.
        denominator: What that mean was divided by: maps labels to a number.
        record: Told of each batch's logits (B, K), labels and likeliest classes, int64 (B, min(5, K)).
        world: The processes that evaluate together, each some of the batches; all get the same metrics.
    """
    losses, weights, hits, classes, sizes = [], [], [], [], []
    with evaluating(model):
        outcomes = _outcomes(model, batches, criterion, denominator)
        for logits, labels, loss, weight in _of_all(outcomes, world):
            losses.append(loss)
            weights.append(weight)
            likeliest = logits.topk(min(5, logits.shape[1]), dim=1).indices
            hits.append(_hits(likeliest, labels))
            classes.append(labels)
            sizes.append(len(labels))
            if record is not None:
                record(logits, labels, likeliest)
    samples, counted = sum(sizes), as_numbers(weights)  # only now does anything wait for the device
    total = math.fsum(counted)
    summed = math.fsum(map(float.__mul__, as_numbers(losses), counted))
    found = torch.cat(hits)
    correct, in_five = found.sum(0).tolist()
    return Metrics(
        loss=summed / total if total else summed,
        accuracy=correct / samples,
        top5_accuracy=in_five / samples if logits.shape[1] > 5 else None,
        balanced_accuracy=_balanced(found[:, 0], torch.cat(classes)),
        samples=samples,
    )


def _outcomes(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    criterion: Callable[[Tensor, Tensor], Tensor],
    denominator: Callable[[Tensor], Tensor | float],
) -> Iterator[_Outcome]:
    for inputs, labels in batches:
        logits = model(inputs)
        yield logits, labels, criterion(logits, labels), denominator(labels)


def _of_all(outcomes: Iterator[_Outcome], world: World) -> Iterator[_Outcome]:
    """Yield the outcomes of all processes in the order of the batches, which were dealt in turn."""
    while found := [each for each in world.gather(next(outcomes, None)) if each is not None]:
        yield from found


def _hits(likeliest: Tensor, labels: Tensor) -> Tensor:
    """Tell for each sample whether its label has the largest logit, and one of the five largest: bool (N, 2)."""
    top = likeliest.eq(labels.unsqueeze(1))  # (N, 5)
    return torch.stack([top[:, 0], top.any(1)], dim=1)


def _balanced(right: Tensor, labels: Tensor) -> float:
    """Return the mean, over the classes that have samples, of the share that is *right*, bool (N,)."""
    there = torch.bincount(labels).tolist()
    hits = torch.bincount(labels[right], minlength=len(there)).tolist()
    shares = [hit / count for hit, count in zip(hits, there, strict=True) if count]
    return math.fsum(shares) / len(shares)
