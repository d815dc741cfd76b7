"""How good predictions are: per class, as probabilities, and whether the confidence can be trusted.

N images, K classes. Probabilities are computed in float64 from float32 logits.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.reports.statistics import wilson

BINS = 15
"""Bins of the calibration error, ((m - 1) / 15, m / 15] for m from 1 to 15."""

_CHANCE_DRAWS = 200
_MAX_STEPS = 100  # of Newton's method; it takes about ten
_CHUNK = 2**22  # logits that are in float64 at once

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Outcomes:
    """What became of each image.

    Attributes:
        labels: int64 (N,).
        predictions: The class with the greatest logit, int64 (N,).
        in_five: Whether the label is among the five greatest, (N,); None with five classes or fewer.
        confidence: The probability of the prediction, (N,).
        label_log_probability: The logarithm of the label's, (N,).
        squares: The sum of all classes' squared probabilities, (N,).
    """

    labels: Ints
    predictions: Ints
    in_five: NDArray[np.bool_] | None
    confidence: Floats
    label_log_probability: Floats
    squares: Floats

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which predictions are the label, (N,)."""
        return np.equal(self.predictions, self.labels)

    def __len__(self) -> int:
        """The number of images, N."""
        return len(self.labels)

    def worst(self, count: int) -> Ints:
        """Return the rows of at most *count* mistakes, those with the least probable labels first."""
        wrong = np.flatnonzero(~self.right)
        return wrong[np.argsort(self.label_log_probability[wrong], kind="stable")][:count]


@dataclass(frozen=True)
class Reliability:
    """How often predictions of about one confidence are right; bins without images are left out.

    Attributes:
        counts: Images in each bin.
        confidence: Their mean confidence.
        accuracy: The share of them that is right.
    """

    counts: Ints
    confidence: Floats
    accuracy: Floats

    @property
    def error(self) -> float:
        """The calibration error: how far accuracy is from confidence, on average over the images."""
        return float(self.counts @ np.abs(self.accuracy - self.confidence) / self.counts.sum())


def outcomes_of(
    logits: NDArray[np.float32],
    labels: Ints,
    *,
    predictions: Ints | None = None,
    in_five: NDArray[np.bool_] | None = None,
    temperature: float = 1.0,
) -> Outcomes:
    """Return what became of each image.

    Args:
        logits: (N, K).
        labels: int64 (N,).
        predictions: As the model's own library chose them, which decides between equal logits; by default the first.
        in_five: The same for the five greatest.
        temperature: What the logits are divided by, above 0.
    """
    if predictions is None:
        predictions = logits.argmax(1).astype(np.int64)
    if in_five is None and logits.shape[1] > 5:
        in_five = (np.argsort(-logits, axis=1, kind="stable")[:, :5] == labels[:, None]).any(1)
    parts = [
        _probabilities(logits[rows], labels[rows], predictions[rows], temperature) for rows in _chunks(*logits.shape)
    ]
    confidence, log_probability, squares = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Outcomes(labels, predictions, in_five, confidence, log_probability, squares)


def _chunks(samples: int, classes: int) -> list[slice]:
    size = max(1, _CHUNK // classes)
    return [slice(start, start + size) for start in range(0, samples, size)]


def _probabilities(
    logits: NDArray[np.float32], labels: Ints, predictions: Ints, temperature: float
) -> tuple[Floats, Floats, Floats]:
    logs = log_softmax(logits, temperature)
    rows = np.arange(len(labels))
    return np.exp(logs[rows, predictions]), logs[rows, labels], np.exp(2 * logs).sum(1)


def log_softmax(logits: NDArray[np.float32], temperature: float = 1.0) -> Floats:
    """Return the logarithms of the probabilities, float64 (N, K)."""
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(1, keepdims=True)
    scaled -= np.log(np.exp(scaled).sum(1, keepdims=True))
    return scaled


def confusion(labels: Ints, predictions: Ints, classes: int) -> Ints:
    """Return how often each class was taken for which, int64 (K, K): actual ones in rows, predicted in columns."""
    return np.bincount(labels * classes + predictions, minlength=classes * classes).reshape(classes, classes)


def class_rows(matrix: Ints, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return each class's numbers; what would be 0 of 0 is None.

    Args:
        matrix: The `confusion`.
        names: The K classes.
    """
    hits, actual, predicted = matrix.diagonal().tolist(), matrix.sum(1).tolist(), matrix.sum(0).tolist()
    rows = []
    for name, hit, images, named, mistakes in zip(names, hits, actual, predicted, _mistakes(matrix), strict=True):
        other = int(mistakes.argmax())
        interval = wilson(hit, images) if images else None
        rows.append(
            {
                "class": name,
                "images": images,
                "predicted": named,
                "right": hit,
                "recall": _share(hit, images),
                "recall_interval": [interval.low, interval.high] if interval else None,
                "precision": _share(hit, named),
                "f1": _share(2 * hit, images + named),
                "taken_for": {"class": names[other], "images": int(mistakes[other])} if mistakes[other] else None,
            }
        )
    return rows


def _mistakes(matrix: Ints) -> Ints:
    """Return the matrix without what is right."""
    return matrix - np.diag(matrix.diagonal())


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def reliability(confidence: Floats, right: NDArray[np.bool_], bins: int = BINS) -> Reliability:
    """Sort predictions into bins of equal width by confidence; each bin holds its upper edge, the last one 1.0."""
    return _binned(_bin_of(confidence, bins), confidence, right, bins)


def _bin_of(confidence: Floats, bins: int) -> Ints:
    edges = np.arange(1, bins) / bins
    return np.searchsorted(edges, confidence, side="left").astype(np.int64)


def equal_mass(confidence: Floats, right: NDArray[np.bool_], bins: int = BINS) -> Reliability:
    """Sort predictions into bins of equally many images by their confidence."""
    places = np.empty(len(confidence), dtype=np.int64)
    places[np.argsort(confidence, kind="stable")] = np.arange(len(confidence)) * bins // len(confidence)
    return _binned(places, confidence, right, bins)


def _binned(places: Ints, confidence: Floats, right: NDArray[np.bool_], bins: int) -> Reliability:
    counts = np.bincount(places, minlength=bins)
    filled = counts > 0
    sums = [np.bincount(places, weights=values, minlength=bins)[filled] for values in (confidence, right)]
    return Reliability(counts[filled], *(total / counts[filled] for total in sums))


def chance_error(confidence: Floats, bins: int = BINS, seed: int = 0) -> float:
    """Return the calibration error that chance alone gives where every confidence is exactly right.

    It is never 0 with finitely many images, and an error below it says nothing. Found by drawing what would be right.
    """
    generator = np.random.default_rng(seed)
    places = _bin_of(confidence, bins)
    expected = np.bincount(places, weights=confidence, minlength=bins)
    errors = []
    for _ in range(_CHANCE_DRAWS):
        right = generator.random(len(confidence)) < confidence
        drawn = np.bincount(places, weights=right, minlength=bins)
        errors.append(np.abs(drawn - expected).sum() / len(confidence))
    return float(np.mean(errors))


def fitted_temperature(logits: NDArray[np.float32], labels: Ints) -> float:
    """Return what to divide the logits by so that the labels are likeliest: the minimum of the mean log loss.

    Where every image is classified rightly, or none is better than chance, there is no minimum and the result lies at
    an end of the range from 2**-10 to 2**10.

    Source: Guo et al. 2017. The loss is convex in the inverse temperature: Newton's method, kept within a bracket.
    """
    slopes = _slopes(logits, labels)
    low, high, inverse = 2.0**-10, 2.0**10, 1.0
    if slopes(high)[0] >= 0:
        return 1 / high
    if slopes(low)[0] <= 0:
        return 1 / low
    for _ in range(_MAX_STEPS):
        slope, bend = slopes(inverse)
        low, high = (inverse, high) if slope > 0 else (low, inverse)
        step = inverse + slope / bend if bend else high
        proposed = step if low < step < high else (low * high) ** 0.5
        if abs(proposed - inverse) <= 1e-9 * inverse:
            break
        inverse = proposed
    return 1 / inverse


def _slopes(logits: NDArray[np.float32], labels: Ints) -> Callable[[float], tuple[float, float]]:
    """Return a function of the inverse temperature: the log likelihood's slope there, and how fast it falls."""
    rows = np.arange(len(labels))
    centred = logits.astype(np.float64) - logits.max(1, keepdims=True)
    wanted = float(centred[rows, labels].sum())

    def slopes(inverse: float) -> tuple[float, float]:
        weights = np.exp(centred * inverse)
        weights /= weights.sum(1, keepdims=True)
        means = (weights * centred).sum(1)
        return wanted - float(means.sum()), float((weights * centred**2).sum() - (means**2).sum())

    return slopes


def metrics_of(outcomes: Outcomes, names: Sequence[str]) -> dict[str, Any]:
    """Return all numbers of an evaluation as plain data.

    Args:
        outcomes: Of at least one image.
        names: The K classes.
    """
    right, total = int(outcomes.right.sum()), len(outcomes)
    rows = class_rows(confusion(outcomes.labels, outcomes.predictions, len(names)), names)
    return {
        "accuracy": right / total,
        "accuracy_interval": list(dataclasses.astuple(wilson(right, total))),
        "top5_accuracy": None if outcomes.in_five is None else int(outcomes.in_five.sum()) / total,
        "balanced_accuracy": _mean([row["recall"] for row in rows]),
        "macro_f1": _mean([row["f1"] for row in rows]),
        "nll": -float(outcomes.label_log_probability.mean()),
        "brier": float((outcomes.squares - 2 * np.exp(outcomes.label_log_probability) + 1).mean()),
        "ece": reliability(outcomes.confidence, outcomes.right).error,
        "ece_equal_mass": equal_mass(outcomes.confidence, outcomes.right).error,
        "ece_by_chance": chance_error(outcomes.confidence),
        "classes": rows,
    }


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known)
