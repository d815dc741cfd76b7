"""Whether an exported file says what the model says."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoo.errors import PluginError, ZooError
from zoo.registry.entry import in_one_line

BATCHES = (1, 2, 7, 500)
"""Sizes of the first batches; the rest is one more."""

MOST = 1e-4
"""How far a logit may be off."""

RELATIVE, ABSOLUTE = 1e-5, 1e-6
"""How far, too: the first times the greatest logit, and the second."""

CLOSE = 2e-4
"""Where the two greatest logits are nearer to each other, either may be the greatest."""

Floats = NDArray[np.floating[Any]]
Classify = Callable[[NDArray[np.uint8]], tuple[Any, Any]]
"""Maps images, uint8 (N, C, H, W), to logits and probabilities, (N, K) each."""


@dataclass(frozen=True)
class Agreement:
    """How well a file agrees with the model.

    Attributes:
        images: How many were compared; 0 for none.
        largest_difference: Of a logit; None where none was compared.
    """

    images: int
    largest_difference: float | None


@dataclass(frozen=True)
class Accuracies:
    """How often a file and the model are right about the same images.

    Attributes:
        images: How many there were.
        file: The file's accuracy, in [0, 1].
        model: The model's.
    """

    images: int
    file: float
    model: float


def accuracies_of(
    model: Callable[[Tensor], Tensor], classify: Classify, batches: Iterable[tuple[Tensor, Tensor]]
) -> Accuracies:
    """Count how often a file that only resembles a model is right, and how often the model is.

    Args:
        model: Maps images to logits, (N, K).
        classify: What runs the file.
        batches: Images, uint8 (N, C, H, W), and labels, (N,), at least one batch.

    Raises:
        PluginError: If the file cannot be run, or gives other shapes.
    """
    images = right_file = right_model = 0
    for batch, labels in batches:
        expected, truth = model(batch).numpy(), labels.cpu().numpy()
        found = _classified(classify, batch, expected.shape)[0]
        images += len(truth)
        right_file += int((found.argmax(1) == truth).sum())
        right_model += int((expected.argmax(1) == truth).sum())
    return Accuracies(images, right_file / images, right_model / images)


def agreement_of(
    model: Callable[[Tensor], Tensor], classify: Classify, images: Tensor, temperature: float | None
) -> Agreement:
    """Compare what a file says of images with what the model says, in batches of 1, 2, 7, 500 and the rest.

    Fewer images are taken several times, so that there is a batch of each size.

    Args:
        model: Maps images to logits, (N, K).
        classify: What runs the file.
        images: uint8 (N, C, H, W), at least one.
        temperature: What divides the logits before the softmax.

    Raises:
        ZooError: If they do not agree.
        PluginError: If the file cannot be run, or gives other shapes.
    """
    own, logits, probabilities = [], [], []
    for batch in _batches(images):
        expected = model(batch).numpy()
        found = _classified(classify, batch, expected.shape)
        own.append(expected)
        logits.append(found[0])
        probabilities.append(found[1])
    expected, found_logits = np.concatenate(own).astype(np.float64), np.concatenate(logits).astype(np.float64)
    largest = _check_logits(expected, found_logits)
    _check_probabilities(expected, np.concatenate(probabilities).astype(np.float64), temperature)
    return Agreement(len(images), largest)


def _batches(images: Tensor) -> Iterator[Tensor]:
    count = max(len(images), sum(BATCHES))
    places = torch.arange(count) % len(images)
    bounds = [*itertools.accumulate((0, *BATCHES)), count]
    for start, end in itertools.pairwise(bounds):
        if start < end:
            yield images[places[start:end]]


def _classified(classify: Classify, batch: Tensor, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    try:
        logits, probabilities = map(np.asarray, classify(batch.numpy()))
    except ZooError:
        raise
    except Exception as error:
        raise PluginError(f"the exported file fails on {len(batch)} images: {in_one_line(error)}") from error
    if logits.shape != shape or probabilities.shape != shape:
        raise PluginError(
            f"the exported file maps {len(batch)} images to logits {logits.shape} and probabilities "
            f"{probabilities.shape}; both must be {shape}"
        )
    return logits, probabilities


def _check_logits(expected: Floats, found: Floats) -> float:
    """Return the largest difference.

    Raises:
        ZooError: If it is too large, or changes a prediction.
    """
    largest, allowed = _largest(expected - found), min(MOST, RELATIVE * _largest(expected) + ABSOLUTE)
    if not largest <= allowed:
        raise _refusal(f"its logits differ from the model's by up to {largest:.3g}, and {allowed:.3g} is allowed")
    two = np.sort(expected, axis=1)[:, -2:]
    clear = two[:, -1] - two[:, 0] >= CLOSE
    wrong = int(np.sum(clear & (expected.argmax(1) != found.argmax(1))))
    if wrong:
        raise _refusal(f"it predicts another class than the model for {wrong} of {len(expected)} images")
    return largest


def _check_probabilities(logits: Floats, found: Floats, temperature: float | None) -> None:
    scaled = logits / (temperature or 1.0)
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    largest = _largest(powers / powers.sum(axis=1, keepdims=True) - found)
    allowed = MOST / min(temperature or 1.0, 1.0)
    if not largest <= allowed:
        raise _refusal(f"its probabilities differ from the model's by up to {largest:.3g}")


def _largest(values: Floats) -> float:
    """Return the greatest absolute value, nan where there is one."""
    return float(np.abs(values).max()) if values.size else math.nan


def _refusal(fault: str) -> ZooError:
    return ZooError(
        f"the exported file is not kept: {fault}.\nThe exporter translates some part of this model wrongly."
    )
