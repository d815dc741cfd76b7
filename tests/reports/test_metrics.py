"""Metrics: by hand, scikit-learn's on random predictions, and the calibration error's corner cases."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from zoo.reports.metrics import (
    chance_error,
    class_rows,
    confusion,
    equal_mass,
    fitted_temperature,
    log_softmax,
    metrics_of,
    outcomes_of,
    reliability,
)


def random_case(seed: int, samples: int = 500, classes: int = 7, scale: float = 1.0):
    """Return logits that know something of the labels, and these."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, samples)
    logits = generator.normal(size=(samples, classes)) + 2 * np.eye(classes)[labels]
    return (scale * logits).astype(np.float32), labels


def sampled_labels(logits: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return labels that are drawn with just the probabilities that the logits state."""
    draws = np.random.default_rng(seed).random((len(logits), 1))
    return (np.exp(log_softmax(logits)).cumsum(1) < draws).sum(1).clip(max=logits.shape[1] - 1)


@pytest.mark.parametrize("seed", range(20))
def test_the_numbers_are_scikit_learn_s(seed: int):
    """On random predictions; classes may be missing among the labels or the predictions."""
    logits, labels = random_case(seed, samples=8 if seed % 2 else 400)
    names = [f"class {k}" for k in range(7)]
    found = metrics_of(outcomes_of(logits, labels), names)
    predictions, probabilities = logits.argmax(1), np.exp(log_softmax(logits))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert found["balanced_accuracy"] == pytest.approx(sklearn.metrics.balanced_accuracy_score(labels, predictions))
        assert found["macro_f1"] == pytest.approx(sklearn.metrics.f1_score(labels, predictions, average="macro"))
        assert found["nll"] == pytest.approx(sklearn.metrics.log_loss(labels, probabilities, labels=range(7)))
        top5 = sklearn.metrics.top_k_accuracy_score(labels, logits, k=5, labels=range(7))
        rows = sklearn.metrics.precision_recall_fscore_support(labels, predictions, labels=range(7), zero_division=0)
    assert found["accuracy"] == sklearn.metrics.accuracy_score(labels, predictions)
    assert found["top5_accuracy"] == top5
    assert found["brier"] == pytest.approx(((probabilities - np.eye(7)[labels]) ** 2).sum(1).mean())
    for k, row in enumerate(found["classes"]):
        assert row["images"] == rows[3][k]
        assert (row["precision"] or 0, row["recall"] or 0, row["f1"] or 0) == pytest.approx([r[k] for r in rows[:3]])


@pytest.mark.parametrize("seed", range(5))
def test_the_confusion_matrix_is_scikit_learn_s(seed: int):
    """The actual class in rows, and each row sums to the class's images."""
    logits, labels = random_case(seed)
    found = confusion(labels, logits.argmax(1), 7)
    assert np.array_equal(found, sklearn.metrics.confusion_matrix(labels, logits.argmax(1), labels=range(7)))
    assert np.array_equal(found.sum(1), np.bincount(labels, minlength=7))


def test_a_model_that_always_says_three_fills_column_three():
    """And recall is 1 of that class, 0 of the others."""
    labels = np.arange(40) % 4
    found = confusion(labels, np.full(40, 3), 4)
    assert np.array_equal(found[:, 3], [10, 10, 10, 10])
    assert found.sum() == found[:, 3].sum()
    rows = class_rows(found, "abcd")
    assert [row["recall"] for row in rows] == [0, 0, 0, 1]
    assert [row["precision"] for row in rows] == [None, None, None, 0.25]


def test_the_calibration_error_of_a_confidence_of_exactly_one():
    """It belongs to the last bin, where torchmetrics once lost it."""
    assert reliability(np.array([0.95, 1.0]), np.array([True, False])).error == pytest.approx(0.475)


def test_a_bin_holds_its_upper_edge_and_not_its_lower_one():
    """As ((m - 1) / 15, m / 15]."""
    found = reliability(np.array([1 / 15, np.nextafter(1 / 15, 1), 2 / 15]), np.array([True, True, True]))
    assert found.counts.tolist() == [1, 2]


def test_equal_mass_bins_hold_equally_many():
    """To within one, whatever the confidences are."""
    confidence = np.random.default_rng(0).random(100) ** 8
    found = equal_mass(confidence, confidence > 0.5)
    assert set(found.counts.tolist()) <= {6, 7}
    assert found.counts.sum() == 100


@given(st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_calibration_errors_are_between_zero_and_one(samples: int, seed: int):
    """Of anything."""
    generator = np.random.default_rng(seed)
    confidence, right = generator.random(samples), generator.random(samples) < 0.5
    for found in (reliability(confidence, right), equal_mass(confidence, right)):
        assert 0 <= found.error <= 1
        assert found.counts.sum() == samples


def test_the_error_by_chance_is_what_a_calibrated_model_shows():
    """Whose labels are drawn with the probabilities that it states."""
    logits, _ = random_case(0, samples=2000)
    errors = []
    for seed in range(50):
        outcomes = outcomes_of(logits, sampled_labels(logits, seed))
        errors.append(reliability(outcomes.confidence, outcomes.right).error)
    assert chance_error(outcomes.confidence) == pytest.approx(np.mean(errors), rel=0.1)


@pytest.mark.parametrize("scale", [3.0, 0.5, 20.0])
def test_logits_times_a_factor_have_the_temperature_times_it(scale: float):
    """And the same predictions."""
    logits, labels = random_case(1, samples=2000)
    scaled = (logits * scale).astype(np.float32)
    assert fitted_temperature(scaled, labels) == pytest.approx(scale * fitted_temperature(logits, labels), rel=1e-3)
    assert np.array_equal(scaled.argmax(1), logits.argmax(1))


def test_the_temperature_is_where_the_loss_is_least():
    """Found again by trying many."""
    logits, labels = random_case(2, scale=4.0)
    best = fitted_temperature(logits, labels)

    def loss(temperature: float) -> float:
        return -outcomes_of(logits, labels, temperature=temperature).label_log_probability.mean()

    assert min(np.linspace(0.5 * best, 2 * best, 101), key=loss) == pytest.approx(best, rel=0.02)
    assert loss(best) <= min(loss(best * 1.001), loss(best / 1.001))


def test_a_calibrated_model_s_temperature_is_about_one():
    """And a perfect or a useless one's lies at an end of the range."""
    logits, labels = random_case(3, samples=20_000)
    assert fitted_temperature(logits, sampled_labels(logits)) == pytest.approx(1, rel=0.05)
    assert fitted_temperature((10 * np.eye(3)).astype(np.float32), np.arange(3)) == pytest.approx(2**-10, rel=0.01)
    assert fitted_temperature((10 * np.eye(2)).astype(np.float32), np.array([1, 0])) == pytest.approx(2**10, rel=0.01)
    assert labels.shape == (20_000,)


def test_huge_logits_overflow_nothing():
    """A probability of 0 has a finite logarithm."""
    logits = np.array([[1e4, -1e4, 0]], dtype=np.float32)
    outcomes = outcomes_of(logits, np.array([1]))
    assert outcomes.label_log_probability.tolist() == [-2e4]
    assert outcomes.confidence.tolist() == [1.0]
    assert outcomes.in_five is None
