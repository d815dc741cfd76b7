"""What a model says of images, and of which of them it can say nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import DamagedError, DamagedFilesError, UsageError

UNKNOWN = "unknown"
"""What an image is said to be where no class is likely enough."""


@dataclass(frozen=True)
class Prediction:
    """What a model says of one image.

    Attributes:
        image: Its file, or ``"images[3]"`` for the fourth where it has none.
        label: The likeliest class, or ``"unknown"`` where its probability is below the threshold.
        labels: The likeliest classes, the likeliest first.
        probabilities: The softmax of their logits, by the run's temperature if it has one, each in [0, 1].
        embedding: What the model's head was given for it, float32 (D,), where that was asked for.
    """

    image: str
    label: str
    labels: tuple[str, ...]
    probabilities: tuple[float, ...]
    embedding: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return what is said of the image, as plain data; the embedding is no part of it."""
        return {"image": self.image, "label": self.label, "labels": self.labels, "probabilities": self.probabilities}


@dataclass(frozen=True)
class Unread:
    """An image of which nothing can be said.

    Attributes:
        image: Its name, as in a prediction.
        fault: What is wrong with it.
    """

    image: str
    fault: DamagedError | UsageError


def prediction_of(
    image: str,
    labels: tuple[str, ...],
    probabilities: tuple[float, ...],
    threshold: float,
    embedding: NDArray[np.float32] | None = None,
) -> Prediction:
    """Return what is said of an image: its likeliest class, or that it is unknown."""
    label = labels[0] if probabilities[0] >= threshold else UNKNOWN
    return Prediction(image, label, labels, probabilities, embedding)


def damaged_files(unread: Sequence[Unread], cure: str = "") -> DamagedFilesError:
    """Return the error that names all of them."""
    return DamagedFilesError({image.image: image.fault for image in unread}, cure)
