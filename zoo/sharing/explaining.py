"""`zoo.explain`: where in an image a trained model sees a class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.files.given import Given
from zoo.reports.explanations import Explanation
from zoo.sharing.loading import load


def explain(
    source: str | Path | Any,
    image: Given,
    *,
    label: str | None = None,
    method: str = "auto",
    checkpoint: str = "best",
) -> Explanation:
    """Look where in an image a trained model sees a class.

    ::

        found = zoo.explain("runs/first", "digit.png")
        found.label, found.heat.shape
        found.save("why.png")

    Grad-CAM weighs the last maps that convolutions see by the gradient of the class's logit. Occlusion covers the image
    square by square and asks how much less likely the class becomes; it takes some 170 predictions. Both say what this
    model used, and not whether it was right to.

    Args:
        source: What `zoo.load` takes.
        image: What `zoo.predict` takes for an image.
        label: The class; by default the likeliest.
        method: ``"grad-cam"``, ``"occlusion"``, or ``"auto"`` for Grad-CAM where the last layers are convolutions.
        checkpoint: Of a run, ``"best"`` or ``"last"``.

    Returns:
        The heat and a picture of it.

    Raises:
        UsageError: If there is no such model, image, class or method, or Grad-CAM cannot look at the model.
        DamagedError: If the image or the weights are damaged.
    """
    return load(source, checkpoint=checkpoint).explain(image, label=label, method=method)
