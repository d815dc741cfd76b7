"""What a model said of each image: to the bit where all logits are kept, exact sums where they are not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from zoo.reports.evaluations import outcomes_from
from zoo.reports.metrics import metrics_of, outcomes_of
from zoo.training.evaluation import evaluate
from zoo.training.predictions import PredictionRecord


def batches(samples: int, classes: int, seed: int = 0):
    """Return logits that stand in for inputs, and labels, in batches of 50."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, classes, (samples,), generator=generator)
    logits = torch.randn(samples, classes, generator=generator)
    logits[torch.arange(samples), labels] += 2
    return list(zip(logits.split(50), labels.split(50), strict=True))


def recorded(record: PredictionRecord, pairs, model: nn.Module | None = None):
    metrics = evaluate(model or nn.Identity(), pairs, nn.CrossEntropyLoss(), record=record)
    return metrics, {name: tensor.numpy() for name, tensor in record.taken().items()}


def test_all_logits_come_back_in_order():
    """Over several batches, with the labels."""
    pairs = batches(120, 7)
    _, arrays = recorded(PredictionRecord(120, 7), pairs)
    assert np.array_equal(arrays["logits"], torch.cat([logits for logits, _ in pairs]))
    assert np.array_equal(arrays["labels"], torch.cat([labels for _, labels in pairs]))


@pytest.mark.parametrize("classes", [2, 5, 6, 40])
@pytest.mark.parametrize("limit", [None, 0])
def test_accuracy_and_top5_are_the_loop_s_exactly(classes: int, limit: int | None):
    """Whatever was kept, and also where every logit is the same."""
    for pairs in (batches(130, classes), [(torch.zeros(30, classes), torch.arange(30) % classes)]):
        samples = sum(len(labels) for _, labels in pairs)
        metrics, arrays = recorded(PredictionRecord(samples, classes, limit), pairs)
        outcomes = outcomes_from(arrays)
        assert outcomes.right.mean() == metrics.accuracy
        assert (outcomes.in_five is None) == (metrics.top5_accuracy is None) == (classes <= 5)
        if outcomes.in_five is not None:
            assert outcomes.in_five.mean() == metrics.top5_accuracy


def test_ties_of_bf16_logits_are_decided_as_the_loop_decided_them():
    """Where half precision makes many logits equal."""
    pairs = [(logits.bfloat16().div(4).round(), labels) for logits, labels in batches(200, 9)]
    metrics, arrays = recorded(PredictionRecord(200, 9), [(x, y) for x, y in pairs], nn.Identity())
    assert arrays["logits"].dtype == np.float32
    assert outcomes_from(arrays).right.mean() == metrics.accuracy


def test_what_is_kept_of_many_classes_gives_the_same_metrics():
    """Log loss, Brier score and calibration stay exact; the file is a small part of all logits."""
    pairs = batches(150, 300)
    record = PredictionRecord(150, 300, limit=1000)
    assert not record.full
    _, arrays = recorded(record, pairs)
    assert "logits" not in arrays
    assert arrays["top_logits"].shape == arrays["top_classes"].shape == (150, 16)
    assert sum(array.nbytes for array in arrays.values()) < 150 * 300 * 4 / 5
    names = [str(k) for k in range(300)]
    logits = torch.cat([logits for logits, _ in pairs]).numpy()
    expected = metrics_of(outcomes_of(logits, arrays["labels"]), names)
    found = metrics_of(outcomes_from(arrays), names)
    for key in ("accuracy", "top5_accuracy", "nll", "brier", "ece", "ece_equal_mass", "macro_f1"):
        assert found[key] == pytest.approx(expected[key], abs=1e-6), key


def test_a_record_is_empty_once_it_was_taken():
    """The next evaluation begins anew."""
    record = PredictionRecord(40, 7)
    recorded(record, batches(40, 7))
    _, arrays = recorded(record, batches(40, 7, seed=1))
    assert len(arrays["labels"]) == 40


def test_recording_changes_no_metric():
    """It only listens."""
    pairs = batches(120, 7)
    assert evaluate(nn.Identity(), pairs, nn.CrossEntropyLoss()) == recorded(PredictionRecord(120, 7), pairs)[0]
