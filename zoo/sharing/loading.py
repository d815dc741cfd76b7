"""`zoo.load`: a trained model as one callable object."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, overload

import numpy as np
from PIL import Image
from torch import nn

from zoo.data import Preparation
from zoo.files.given import Given
from zoo.reports.explanations import Explanation
from zoo.reports.predictions import Prediction, Unread
from zoo.runs.explaining import explained
from zoo.runs.predicting import Predictor
from zoo.runs.sources import Trained, load_trained
from zoo.training.arithmetic import own_arithmetic

_SHOWN = 5  # classes that a repr names


class Classifier:
    """A trained model: called on images, it says what they show.

    Args:
        trained: The model, and where it is from.
    """

    def __init__(self, trained: Trained) -> None:
        self._trained, self._predictor = trained, Predictor.of(trained)
        if not hasattr(self.module, "prepare"):  # a model's own method of that name stays its own
            self.module.prepare = self.prepare  # type: ignore[assignment]

    @property
    def classes(self) -> tuple[str, ...]:
        """The K class names; logit k is for ``classes[k]``."""
        return self._predictor.images.classes

    @property
    def module(self) -> nn.Module:
        """The model: inputs (N, C, H, W), as ``module.prepare`` makes them, to logits (N, K)."""
        return self._predictor.network.model

    @property
    def prepare(self) -> Preparation:
        """What turns images, uint8 (N, C, H, W), as the dataset stores them, into the module's inputs."""
        return self._predictor.network.prepare_evaluation

    @property
    def image_size(self) -> tuple[int, int]:
        """(H, W) to which pictures are resized before they are prepared."""
        return self._predictor.images.image_size

    # A path is typed as one image, though one that names a folder is several: whoever gives a folder says list.
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, images: Given, *, top_k: int = 1, threshold: float = 0.0
    ) -> Prediction: ...

    @overload
    def __call__(self, images: Iterable[Given], *, top_k: int = 1, threshold: float = 0.0) -> list[Prediction]: ...

    def __call__(
        self, images: Given | Iterable[Given], *, top_k: int = 1, threshold: float = 0.0
    ) -> Prediction | list[Prediction]:
        """Classify an image, or each of several.

        Args:
            images: One path, the bytes of an encoded image, an image of Pillow's, or an array uint8 (H, W) or
                (H, W, C); or several of them: any iterable, an array uint8 (N, H, W, C), a folder.
            top_k: How many classes to tell of, from 1 to K.
            threshold: The least probability, in [0, 1], with which an image is said to be of a class.

        Returns:
            A prediction; of several images a list of them, in order.

        Raises:
            UsageError: If it is no image, or there is no such file.
            DamagedError: If an image is damaged.
        """
        one = _is_one(images)
        several: Any = [images] if one or isinstance(images, str | Path) else images
        found = self._predicted(several, top_k, threshold)
        return found[0] if one else found

    def explain(self, image: Given, *, label: str | None = None, method: str = "auto") -> Explanation:
        """Look where in an image the model sees a class, as `zoo.explain` does."""
        return explained(self._predictor, image, label, method)

    def __repr__(self) -> str:
        facts, trained = self._predictor.images, self._trained
        named = ", ".join(map(repr, facts.classes[:_SHOWN])) + (", ..." if facts.num_classes > _SHOWN else "")
        shape = " x ".join(map(str, (facts.in_channels, *facts.image_size)))
        return (
            f"<zoo.Classifier {trained.config.model.name}, trained on {trained.config.data.name}: "
            f"{shape} to {facts.num_classes} classes ({named}); from {trained.where!r}, step {trained.step}>"
        )

    def _predicted(self, images: Iterable[Given], top_k: int, threshold: float) -> list[Prediction]:
        found = []
        for outcome in self._predictor.outcomes(images, top_k=top_k, threshold=threshold):
            if isinstance(outcome, Unread):
                raise outcome.fault
            found.append(outcome)
        return found


def load(source: str | Path | Any, *, checkpoint: str = "best") -> Classifier:
    """Load a trained model.

    ::

        model = zoo.load("runs/first")
        model("digit.png").label, model("digit.png").probabilities[0]

    Args:
        source: A run's directory, or what `zoo.train` returned, or a checkpoint's directory, or a folder that
            `zoo.publish` made, or its ``model.safetensors`` alone, or such a folder on the Hugging Face hub,
            ``"hf:user/name@commit"``, or weights that a plugin registered, ``"weights:NAME"``.
        checkpoint: Which one of a run: ``"best"`` or ``"last"``.

    Returns:
        What is called on images.

    Raises:
        UsageError: If there is no such thing.
        DamagedError: If a byte of it is not what was written; nothing of it is unpickled.
        ZooError: If it must be fetched, and there is no network.
        PluginError: If the model's plugin is broken.
    """
    with own_arithmetic():
        trained = load_trained(source, checkpoint)
    trained.network.model.eval()
    return Classifier(trained)


def _is_one(images: Any) -> bool:
    if isinstance(images, str | Path):
        return not Path(images).is_dir()
    if isinstance(images, np.ndarray):
        return images.ndim < 4
    return isinstance(images, bytes | bytearray | memoryview | Image.Image) or not isinstance(images, Iterable)
