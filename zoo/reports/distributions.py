"""The two distributions that the statistics need: the binomial with p = 1/2 and Student's t, through one function."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

_TINY = 1e-300
_MAX_TERMS = 100_000


def regularized_beta(x: float, a: float, b: float) -> float:
    """Return the regularized incomplete beta function I_x(a, b), in [0, 1].

    Args:
        x: In [0, 1].
        a: Above 0.
        b: Above 0.

    Source: the continued fraction 8.17.22 of https://dlmf.nist.gov/8.17, by Lentz's method.
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    front = math.exp(a * math.log(x) + b * math.log1p(-x) - _log_beta(a, b))
    if x < (a + 1) / (a + b + 2):  # where the fraction converges fast; else it is taken of the other tail
        return front * _fraction(x, a, b) / a
    return 1 - front * _fraction(1 - x, b, a) / b


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _fraction(x: float, a: float, b: float) -> float:
    above, below = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    value = below
    for m in range(1, _MAX_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            below = 1 / _away_from_zero(1 + term * below)
            above = _away_from_zero(1 + term / above)
            change = above * below
            value *= change
        if abs(change - 1) < 1e-15:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def normal_quantile(probability: float) -> float:
    """Return what a standard normal variable stays below with *probability*."""
    return NormalDist().inv_cdf(probability)


def fair_coin(heads: int, throws: int) -> tuple[float, float]:
    """Return the probabilities that a fair coin shows at most *heads* heads in *throws*, and exactly so many."""
    exactly = math.exp(
        math.lgamma(throws + 1) - math.lgamma(heads + 1) - math.lgamma(throws - heads + 1) - throws * math.log(2)
    )
    return (1.0 if heads >= throws else regularized_beta(0.5, throws - heads, heads + 1)), exactly


def t_two_sided(t: float, degrees: float) -> float:
    """Return the probability that Student's t is at least as far from 0 as *t*.

    Args:
        t: Any number, infinities included.
        degrees: Degrees of freedom, above 0; not necessarily whole.
    """
    return 0.0 if math.isinf(t) else regularized_beta(degrees / (degrees + t * t), degrees / 2, 0.5)


def t_quantile(probability: float, degrees: float) -> float:
    """Return what Student's t stays below with *probability*, in (0.5, 1)."""
    tails = 2 * (1 - probability)
    high = 1.0
    while t_two_sided(high, degrees) > tails:
        high *= 2
    return bisected(lambda t: t_two_sided(t, degrees) - tails, 0.0, high)


def bisected(falling: Callable[[float], float], low: float, high: float) -> float:
    """Return where a *falling* function, at least 0 at *low* and at most 0 at *high*, crosses 0."""
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return middle
