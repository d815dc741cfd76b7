"""What looks wrong about the data, told from kept evaluations: labels that are probably mistaken, empty classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zoo.reports.evaluations import Evaluation
from zoo.reports.metrics import Ints, Outcomes

LEARNT = "train"
"""The split from which no label is suspected: a model repeats the labels that it has learnt, mistaken ones too."""


@dataclass(frozen=True)
class SuspectedLabel:
    """An image whose label is probably mistaken.

    Attributes:
        split: Where it is.
        place: Its place in the dataset's split.
        row: Its row in the evaluation.
        label: The class that it is labelled with.
        prediction: What it probably is.
        self_confidence: The probability of the label.
    """

    split: str
    place: int
    row: int
    label: str
    prediction: str
    self_confidence: float


def suspected_rows(outcomes: Outcomes, classes: int) -> Ints:
    """Return the rows of images that are called something else as confidently as images of that class are.

    A prediction counts as that confident where its probability is at least the mean one of the images that do have its
    label. The least probable labels come first.

    Source: Northcutt et al. 2021, confident learning, for the off-diagonal of its confident joint.
    """
    probability = np.exp(outcomes.label_log_probability)
    counts = np.bincount(outcomes.labels, minlength=classes)
    sums = np.bincount(outcomes.labels, weights=probability, minlength=classes)
    usual = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
    rows = np.flatnonzero(~outcomes.right & (outcomes.confidence >= usual[outcomes.predictions]))
    return rows[np.argsort(outcomes.label_log_probability[rows], kind="stable")]


def suspected_labels(evaluation: Evaluation) -> list[SuspectedLabel]:
    """Return the labels of an evaluation that are probably mistaken, the least probable first.

    Raises:
        ValueError: If the images are those that the model learnt from.
    """
    split = str(evaluation.document["split"])
    if split == LEARNT:
        raise ValueError("labels are suspected from images that the model has not learnt")
    outcomes, classes, places = evaluation.outcomes, evaluation.classes, evaluation.arrays["places"]
    return [
        SuspectedLabel(
            split,
            int(places[row]),
            row,
            classes[outcomes.labels[row]],
            classes[outcomes.predictions[row]],
            float(np.exp(outcomes.label_log_probability[row])),
        )
        for row in suspected_rows(outcomes, len(classes)).tolist()
    ]
