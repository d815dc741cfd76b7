"""Suspected labels: those that were exchanged are found, and none is suspected of what was learnt."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.reports.evaluations import Evaluation
from zoo.reports.suspicions import suspected_labels


def evaluation(split: str = "test") -> tuple[Evaluation, list[int]]:
    """Return predictions that are sure and right, of which ten labels were exchanged afterwards."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 4, 400)
    logits = (generator.normal(size=(400, 4)) + 6 * np.eye(4)[labels]).astype(np.float32)
    mistaken = sorted(generator.choice(400, 10, replace=False).tolist())
    given = labels.copy()
    given[mistaken] = (given[mistaken] + 1) % 4
    arrays = {
        "logits": logits,
        "labels": given,
        "predictions": logits.argmax(1),
        "places": np.arange(400) + 1000,
    }
    return Evaluation(f"{split}-best", {"split": split, "classes": list("abcd")}, arrays), mistaken


def test_exchanged_labels_are_suspected():
    """Nearly all of them and hardly any other, at their places in the dataset, the least probable first."""
    kept, mistaken = evaluation()
    found = suspected_labels(kept)
    rows = [each.row for each in found]
    assert len(set(rows) & set(mistaken)) >= 6
    assert len(set(rows) - set(mistaken)) <= 3
    assert [each.place for each in found] == [row + 1000 for row in rows]
    confidence = [each.self_confidence for each in found]
    assert confidence == sorted(confidence)


def test_no_label_is_suspected_of_what_was_learnt():
    """There the model repeats mistaken labels, too."""
    with pytest.raises(ValueError, match="has not learnt"):
        suspected_labels(evaluation("train")[0])
