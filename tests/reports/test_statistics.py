"""Intervals and tests: the published numbers, scipy's on random cases, and what they promise on simulated ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from zoo.reports.distributions import fair_coin, regularized_beta, t_quantile, t_two_sided
from zoo.reports.statistics import bonett_price, bootstrap, holm, mcnemar, mean_of, paired_t, welch_t, wilson

CLOSE = 1e-6
FIRST = [0.9937, 0.9937, 0.9927, 0.9934, 0.9931]
SECOND = [0.9942, 0.9945, 0.9939, 0.9941, 0.9940]


def test_wilson_s_interval_is_the_published_one():
    """Also where nothing was right, whose lower end is exactly 0."""
    found = wilson(9942, 10_000)
    assert (found.low, found.high) == pytest.approx((0.992510, 0.995510), abs=CLOSE)
    found = wilson(0, 10)
    assert found.low == 0
    assert found.high == pytest.approx(0.277533, abs=CLOSE)
    assert wilson(10, 10).high == 1


@pytest.mark.parametrize(
    ("first", "second", "p"), [(8, 22, 0.016125), (22, 8, 0.016125), (19, 30, 0.152408), (10, 10, 1.0), (0, 0, 1.0)]
)
def test_mcnemar_s_test_is_exact(first: int, second: int, p: float):
    """Both ways round, and 1 where nothing speaks for either."""
    assert mcnemar(first, second).p == pytest.approx(p, abs=CLOSE)


def test_mid_p_counts_what_was_seen_by_half():
    """So it is the smaller one, and still 1 where nothing speaks for either."""
    assert mcnemar(8, 22).mid_p == pytest.approx(0.010674, abs=CLOSE)
    assert mcnemar(10, 10).mid_p == pytest.approx(1)


def test_bonett_and_price_s_interval_of_a_difference():
    """In ten thousand images."""
    found = bonett_price(19, 30, 10_000)
    assert (found.low, found.high) == pytest.approx((-0.000299, 0.002499), abs=CLOSE)


@pytest.mark.parametrize(("degrees", "expected"), [(1, 12.706205), (4, 2.776445), (9, 2.262157)])
def test_quantiles_of_t_are_the_tabulated_ones(degrees: int, expected: float):
    """At 97.5 percent."""
    assert t_quantile(0.975, degrees) == pytest.approx(expected, abs=CLOSE)


def test_two_recipes_over_five_seeds():
    """Paired by the seed, and as two groups."""
    assert paired_t(FIRST, SECOND).p == pytest.approx(0.0020965, abs=CLOSE)
    assert welch_t(FIRST, SECOND).p == pytest.approx(0.0087492, abs=CLOSE)


def test_everything_agrees_with_scipy_on_random_cases():
    """Two hundred of them."""
    generator = np.random.default_rng(0)
    for _ in range(200):
        total = int(generator.integers(1, 20_000))
        right = int(generator.integers(0, total + 1))
        reference = scipy.stats.binomtest(right, total).proportion_ci(method="wilson")
        found = wilson(right, total)
        assert (found.low, found.high) == pytest.approx((reference.low, reference.high), abs=CLOSE)
        first, second = (int(n) for n in generator.integers(0, 300, 2))
        expected = scipy.stats.binomtest(first, first + second).pvalue if first + second else 1.0
        assert mcnemar(first, second).p == pytest.approx(expected, rel=CLOSE, abs=1e-300)
        one, two = generator.normal(0.9, 0.01, generator.integers(2, 9)), generator.normal(0.9, 0.03, 6)
        test = scipy.stats.ttest_ind(two, one, equal_var=False)
        welch = welch_t(one, two)
        assert (welch.p, welch.degrees) == pytest.approx((test.pvalue, test.df), rel=CLOSE)
        interval = test.confidence_interval()
        assert (welch.interval.low, welch.interval.high) == pytest.approx((interval.low, interval.high), abs=CLOSE)
        pairs = two[: len(one)], one[: len(two)]
        paired = paired_t(*pairs)
        test = scipy.stats.ttest_rel(pairs[1], pairs[0])
        assert paired.p == pytest.approx(test.pvalue, rel=CLOSE)
        interval = test.confidence_interval()
        assert (paired.interval.low, paired.interval.high) == pytest.approx((interval.low, interval.high), abs=CLOSE)
        mean = mean_of(two).interval
        low, high = scipy.stats.t.interval(0.95, 5, two.mean(), scipy.stats.sem(two))
        assert mean is not None
        assert (mean.low, mean.high) == pytest.approx((low, high), abs=CLOSE)


# Runs flush subnormal numbers to zero, and so does the process that tested some before.
@given(st.floats(0, 1, allow_subnormal=False), st.floats(0.01, 500), st.floats(0.01, 500))
def test_the_incomplete_beta_function_is_scipy_s(x: float, a: float, b: float):
    """Everywhere, its far tails included."""
    assert regularized_beta(x, a, b) == pytest.approx(scipy.special.betainc(a, b, x), rel=1e-7, abs=1e-12)


@pytest.mark.parametrize(("heads", "throws"), [(0, 1), (3, 3), (24_900, 50_000), (100, 1000)])
def test_a_fair_coin_is_scipy_s(heads: int, throws: int):
    """Also of many throws, and of what almost never happens."""
    reference = scipy.stats.binom(throws, 0.5)
    assert fair_coin(heads, throws) == pytest.approx((reference.cdf(heads), reference.pmf(heads)), rel=1e-8)


def test_equal_measurements_differ_by_nothing_and_constant_differences_are_certain():
    """No division by zero where nothing varies."""
    same = paired_t([0.5, 0.6], [0.5, 0.6])
    assert (same.p, same.difference) == (1.0, 0.0)
    assert welch_t([0.5, 0.5], [0.75, 0.75]).p == 0.0
    assert t_two_sided(math.inf, 3) == 0.0


def test_one_measurement_has_no_interval():
    """A spread cannot be told from one number."""
    assert mean_of([0.9]).interval is None
    assert mean_of([0.9]).deviation is None


@pytest.mark.parametrize("test", [paired_t, welch_t])
def test_a_test_of_one_number_is_refused(test):
    """It would be a division by zero."""
    with pytest.raises(ValueError, match="at least two"):
        test([0.9], [0.8])


def test_a_pair_must_have_a_partner():
    """Sequences of different lengths are no pairs."""
    with pytest.raises(ValueError, match="not 2 and 3 numbers"):
        paired_t([1, 2], [1, 2, 3])


def test_holm_s_adjustment_keeps_the_order():
    """The smallest is multiplied by how many there are, and none falls below a smaller one's."""
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_one_p_and_bonferroni(values: list[float]):
    """Never less than what was measured, never more than the plainest correction."""
    for adjusted, p in zip(holm(values), values, strict=True):
        assert p <= adjusted <= min(1.0, len(values) * p) + 1e-12


def test_mcnemar_rejects_equal_models_as_rarely_as_promised():
    """In a thousand simulated pairs."""
    generator = np.random.default_rng(1)
    rejected = 0
    for _ in range(1000):
        first, second = generator.binomial(2000, [0.01, 0.01])
        rejected += mcnemar(int(first), int(second)).p < 0.05
    assert rejected <= 65


def test_wilson_covers_the_truth_as_often_as_promised():
    """At an accuracy of 99 percent in ten thousand images."""
    rights = np.random.default_rng(2).binomial(10_000, 0.99, 1000)
    covered = sum(found.low <= 0.99 <= found.high for found in (wilson(int(right), 10_000) for right in rights))
    assert 930 <= covered <= 970


def test_the_bootstrap_agrees_with_the_normal_approximation_of_one_seed():
    """With one seed each only the images vary, so the interval is that of a paired difference."""
    generator = np.random.default_rng(3)
    first, second = generator.random((1, 4000)) < 0.9, generator.random((1, 4000)) < 0.92
    difference = second[0].astype(float) - first[0].astype(float)
    half = 1.96 * difference.std() / math.sqrt(4000)
    found = bootstrap(first, second)
    assert (found.low, found.high) == pytest.approx((difference.mean() - half, difference.mean() + half), abs=2e-3)
    assert found == bootstrap(first, second)


def test_the_bootstrap_over_seeds_is_wider_than_over_images_alone():
    """Seeds that differ add their spread."""
    generator = np.random.default_rng(4)
    levels = np.array([0.80, 0.90, 0.95])[:, None]
    first, second = generator.random((3, 1000)) < levels, generator.random((3, 1000)) < levels
    wide, narrow = bootstrap(first, second), bootstrap(first[:1], second[:1])
    assert wide.high - wide.low > narrow.high - narrow.low
    paired = bootstrap(first, second, paired=True)
    assert paired.high - paired.low < wide.high - wide.low
