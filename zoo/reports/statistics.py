"""How sure a number is, and whether two differ: intervals and tests, each of which answers one question.

Which test answers what is told in docs/explanation/statistics.md. Accuracies and probabilities are in [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoo.reports.distributions import fair_coin, normal_quantile, t_quantile, t_two_sided

CONFIDENCE = 0.95
"""How often an interval holds the true value, if what was measured were drawn again and again."""

_CHUNK = 64  # draws of the bootstrap that are in memory at once


@dataclass(frozen=True)
class Interval:
    """From *low* to *high*."""

    low: float
    high: float


@dataclass(frozen=True)
class Mean:
    """The mean of repeated measurements.

    Attributes:
        value: The mean.
        deviation: Standard deviation of one measurement; None of a single one.
        interval: Where the mean of all possible ones is; None of a single one.
        count: How many were measured.
    """

    value: float
    deviation: float | None
    interval: Interval | None
    count: int


@dataclass(frozen=True)
class Comparison:
    """The second minus the first, and how sure that is.

    Attributes:
        difference: In the measure's own unit.
        interval: Where the true difference is.
        p: Probability of a difference at least as large, in either direction, if there were none.
        degrees: Degrees of freedom of Student's t.
    """

    difference: float
    interval: Interval
    p: float
    degrees: float


@dataclass(frozen=True)
class McNemar:
    """Two classifiers on the same images.

    Attributes:
        first_only: Images that only the first got right.
        second_only: Images that only the second got right.
        p: Probability of a split at least as uneven if both were equally good: exact, two-sided.
        mid_p: The same counting what was seen by half, which is less cautious.
    """

    first_only: int
    second_only: int
    p: float
    mid_p: float


def wilson(right: int, total: int, confidence: float = CONFIDENCE) -> Interval:
    """Return where the true accuracy is, of *right* out of *total* independent images.

    Args:
        right: From 0 to *total*.
        total: At least 1.
        confidence: In (0, 1).

    Source: Wilson 1927, without correction for continuity.
    """
    z = normal_quantile((1 + confidence) / 2)
    share, spread = right / total, z * z / total
    centre = (share + spread / 2) / (1 + spread)
    half = math.sqrt(share * (1 - share) * spread + spread * spread / 4) / (1 + spread)
    return Interval(0.0 if right == 0 else centre - half, 1.0 if right == total else centre + half)


def mcnemar(first_only: int, second_only: int) -> McNemar:
    """Test whether two classifiers are equally good on the images on which exactly one of them is right.

    Source: McNemar 1947, exact: the split is that of a fair coin. Mid-p: Lancaster 1961, Fagerland et al. 2013.
    """
    at_most, exactly = fair_coin(min(first_only, second_only), first_only + second_only)
    return McNemar(first_only, second_only, min(1.0, 2 * at_most), min(1.0, 2 * at_most - exactly))


def bonett_price(first_only: int, second_only: int, total: int, confidence: float = CONFIDENCE) -> Interval:
    """Return where the true difference of two accuracies on the same *total* images is, the second's less the first's.

    Source: Bonett and Price 2012, an adjusted Wald interval.
    """
    z = normal_quantile((1 + confidence) / 2)
    first, second = (first_only + 1) / (total + 2), (second_only + 1) / (total + 2)
    half = z * math.sqrt((first + second - (second - first) ** 2) / (total + 2))
    return Interval(max(-1.0, second - first - half), min(1.0, second - first + half))


def mean_of(values: Sequence[float], confidence: float = CONFIDENCE) -> Mean:
    """Return the mean of repeated measurements, at least one, with Student's t interval."""
    array = np.asarray(values, dtype=np.float64)
    value = float(array.mean())
    if len(array) < 2:
        return Mean(value, None, None, len(array))
    deviation = float(array.std(ddof=1))
    half = t_quantile((1 + confidence) / 2, len(array) - 1) * deviation / math.sqrt(len(array))
    return Mean(value, deviation, Interval(value - half, value + half), len(array))


def paired_t(first: Sequence[float], second: Sequence[float], confidence: float = CONFIDENCE) -> Comparison:
    """Compare two sequences of measurements that belong together pair by pair, at least two pairs.

    Raises:
        ValueError: If they have not equally many, or fewer than two.
    """
    if len(first) != len(second) or len(first) < 2:
        raise ValueError(f"a paired test needs at least two pairs, not {len(first)} and {len(second)} numbers")
    differences = np.asarray(second, dtype=np.float64) - np.asarray(first, dtype=np.float64)
    error = float(differences.std(ddof=1)) / math.sqrt(len(differences))
    return _compared(float(differences.mean()), error, len(differences) - 1, confidence)


def welch_t(first: Sequence[float], second: Sequence[float], confidence: float = CONFIDENCE) -> Comparison:
    """Compare two independent groups of measurements, of at least two each, whose spreads may differ.

    Raises:
        ValueError: If a group has fewer than two.

    Source: Welch 1947.
    """
    if min(len(first), len(second)) < 2:
        raise ValueError(f"Welch's test needs at least two numbers a group, not {len(first)} and {len(second)}")
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    a, b = float(one.var(ddof=1)) / len(one), float(two.var(ddof=1)) / len(two)
    below = a * a / (len(one) - 1) + b * b / (len(two) - 1)
    degrees = (a + b) ** 2 / below if below else float(len(one) + len(two) - 2)
    return _compared(float(two.mean() - one.mean()), math.sqrt(a + b), degrees, confidence)


def _compared(difference: float, error: float, degrees: float, confidence: float) -> Comparison:
    half = t_quantile((1 + confidence) / 2, degrees) * error
    t = difference / error if error else (math.copysign(math.inf, difference) if difference else 0.0)
    return Comparison(
        difference, Interval(difference - half, difference + half), t_two_sided(t, degrees), float(degrees)
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the probabilities adjusted for how many were looked at, in the given order.

    Source: Holm 1979.
    """
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = least
    return adjusted


def bootstrap(
    first: NDArray[np.bool_],
    second: NDArray[np.bool_],
    *,
    paired: bool = False,
    draws: int = 2000,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Return where the difference of two recipes' mean accuracies is, over other seeds and other images of the kind.

    Both are drawn again: the seeds of each recipe, and the images, which are the same for all.

    Args:
        first: Which images each run of the first recipe got right, (S, N).
        second: The same of the second, (T, N).
        paired: Whether run s of the one belongs to run s of the other, as where they share a seed.
        draws: How often.
        seed: The result is a pure function of the arguments.
        confidence: In (0, 1).

    Source: Efron and Tibshirani 1993, the percentile interval.
    """
    generator = np.random.default_rng(seed)
    rights = [np.asarray(each, dtype=np.float32) for each in (first, second)]
    found = []
    for start in range(0, draws, _CHUNK):
        count = min(_CHUNK, draws - start)
        images = _redrawn(generator, count, first.shape[1]).astype(np.float32)  # (B, N) how often each image
        seeds = [_redrawn(generator, count, len(each)) for each in (first, second)]  # (B, S) how often each seed
        if paired:
            seeds[1] = seeds[0]
        means = [
            ((images @ right.T) * chosen).sum(1) / (chosen.sum(1) * images.shape[1])
            for right, chosen in zip(rights, seeds, strict=True)
        ]
        found.append(means[1] - means[0])
    low, high = np.quantile(np.concatenate(found), [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))


def _redrawn(generator: np.random.Generator, draws: int, count: int) -> NDArray[np.int64]:
    """Return how often each of *count* things comes when as many are drawn with replacement, (draws, count)."""
    chosen = generator.integers(0, count, (draws, count)) + np.arange(draws)[:, None] * count
    return np.bincount(chosen.ravel(), minlength=draws * count).reshape(draws, count)
