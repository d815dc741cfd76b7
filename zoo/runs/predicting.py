"""`zoo.predict`: what a run's model says of images."""

from __future__ import annotations

import itertools
import logging
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from zoo.data import ImageFacts
from zoo.errors import DamagedError, UsageError
from zoo.files.folders import files_of
from zoo.files.given import Given, name_of, read_given
from zoo.reports.predictions import Prediction, Unread, damaged_files, prediction_of
from zoo.runs.network import Network
from zoo.runs.sources import Trained, load_trained
from zoo.training.arithmetic import own_arithmetic
from zoo.training.evaluation import evaluating
from zoo.training.features import given_to, vectors
from zoo.training.layer_groups import head_of

_BATCH = 64
_AHEAD = 2  # batches that are being read while the model works on another: no more are ever in memory

Answer = tuple[tuple[str, ...], tuple[float, ...], NDArray[np.float32] | None]
"""An image's likeliest labels, their probabilities, and its embedding where that was asked for."""


def predict(
    run: str | Path | Any,
    images: Iterable[Given],
    *,
    top_k: int = 1,
    checkpoint: str = "best",
    threshold: float = 0.0,
    skip_damaged: bool = False,
    embeddings: bool = False,
) -> list[Prediction]:
    """Classify images with a trained model.

    Each image is made grey or coloured and resized as the run's dataset stores its images. They are read and classified
    a batch at a time, so that *images* may be a generator of any length. Where `zoo.calibrate` found a temperature for
    the checkpoint, the probabilities are tempered by it.

    Args:
        run: What `zoo.load` takes: a run, a checkpoint, a published folder or its ``model.safetensors``, a name.
        images: Files that `zoo.read_image` reads and folders of such; the bytes of encoded images; images of Pillow's;
            arrays uint8 (H, W), or (H, W, C) with C 1, 3 or 4, the last being alpha.
        top_k: How many classes to tell of, from 1 to K.
        checkpoint: Of a run, ``"best"`` or ``"last"``.
        threshold: The least probability, in [0, 1], with which an image is said to be of a class.
        skip_damaged: Leave images that cannot be read out of what is returned, with a warning in zoo's log that names
            them.
        embeddings: Whether each prediction has an ``embedding``: what the model's head was given, float32 (D,), where
            that is a vector; of maps the mean over their places.

    Returns:
        One prediction an image, in order; those of a folder in the order of their names.

    Raises:
        UsageError: If there is no such run or file, or *top_k* or *threshold* is out of range, or an image is none of
            these.
        DamagedError: If an image is damaged, or none that zoo reads.
    """
    if isinstance(images, str | Path | bytes | Image.Image) or not isinstance(images, Iterable):
        raise UsageError(f"images must be a list of images, such as [{images!r:.60}]")
    found: list[Prediction] = []
    unread: list[Unread] = []
    asked = outcomes(run, images, top_k=top_k, checkpoint=checkpoint, threshold=threshold, embeddings=embeddings)
    for outcome in asked:
        if isinstance(outcome, Prediction):
            found.append(outcome)
        elif skip_damaged:
            unread.append(outcome)
        else:
            raise outcome.fault
    if unread:
        logging.getLogger("zoo").warning("%s", damaged_files(unread))
    return found


def outcomes(
    run: str | Path | Any,
    images: Iterable[Given],
    *,
    top_k: int = 1,
    checkpoint: str = "best",
    threshold: float = 0.0,
    embeddings: bool = False,
) -> Iterator[Prediction | Unread]:
    """Yield what becomes of each image, in order, while others are being read; the arguments are those of `predict`."""
    _check_wishes(top_k, threshold)
    with own_arithmetic():
        predictor = Predictor.of(load_trained(run, checkpoint))
    yield from predictor.outcomes(images, top_k=top_k, threshold=threshold, embeddings=embeddings)


@dataclass(frozen=True)
class Predictor:
    """A trained model that is asked about images.

    Attributes:
        network: The model and what surrounds it.
        images: What it was trained on.
        temperature: What its logits are divided by; None for nothing.
    """

    network: Network
    images: ImageFacts
    temperature: float | None = None

    @classmethod
    def of(cls, trained: Trained) -> Predictor:
        """Return what asks a model that was loaded."""
        return cls(trained.network, trained.images, trained.temperature)

    def outcomes(
        self, images: Iterable[Given], *, top_k: int = 1, threshold: float = 0.0, embeddings: bool = False
    ) -> Iterator[Prediction | Unread]:
        """Yield what becomes of each image, in order; the arguments are those of `predict`.

        Raises:
            UsageError: If *top_k* or *threshold* is out of range, or an image is none.
        """
        _check_wishes(top_k, threshold)
        count = self.images.num_classes
        if not 1 <= top_k <= count:
            raise UsageError(f"top_k must be from 1 to {count}, the number of classes, not {top_k}")
        for batch in _read_ahead(_named(images), self):
            whole = [pixels for _, pixels in batch if isinstance(pixels, Tensor)]
            answers = iter(self._answers(torch.stack(whole), top_k, embeddings) if whole else ())
            for name, pixels in batch:
                if isinstance(pixels, Unread):
                    yield pixels
                else:
                    labels, probabilities, embedding = next(answers)
                    yield prediction_of(name, labels, probabilities, threshold, embedding)

    def read(self, image: Given, name: str) -> Tensor:
        """Return an image as the model's dataset stores its images, uint8 (C, H, W); *name* is for messages.

        Raises:
            UsageError: If it is none, or there is no such file.
            DamagedError: If it is damaged.
        """
        facts, how = self.images, self.network.prepare.decoding_filter
        channels, size = facts.in_channels, facts.image_size
        return read_given(image, name, channels=channels, size=size, interpolation=how, fit=facts.fit)

    def _answers(self, images: Tensor, top_k: int, embeddings: bool) -> list[Answer]:
        """Return what is said of each of *images*, uint8 (N, C, H, W)."""
        # Not around what yields: whoever asks has their own arithmetic between two images, and where they stop early.
        with own_arithmetic(), evaluating(self.network.model):
            logits, features = self._logits(self.network.prepare_evaluation(images), embeddings)
            if self.temperature is not None:
                logits = logits.float() / self.temperature
            probabilities, indices = logits.softmax(dim=1).topk(top_k, dim=1)
        return [
            (tuple(self.images.classes[k] for k in index), tuple(likely), embedding)
            for likely, index, embedding in zip(probabilities.tolist(), indices.tolist(), features, strict=True)
        ]

    def _logits(self, inputs: Tensor, embeddings: bool) -> tuple[Tensor, Iterable[NDArray[np.float32] | None]]:
        """Return the logits, (N, K), and what the head was given, where that is asked for."""
        if not embeddings:
            return self.network.forward(inputs), [None] * len(inputs)
        name, head = head_of(self.network.model)
        with given_to(head) as seen:  # a compiled model would not see the hook
            logits = self.network.around(self.network.model)(inputs)
        return logits, vectors(seen, len(inputs), name).cpu().numpy()


def _check_wishes(top_k: Any, threshold: float) -> None:
    """Refuse what no model could answer, before one is loaded."""
    if not isinstance(top_k, int) or isinstance(top_k, bool):
        raise UsageError(f"top_k must be a whole number, not {top_k!r}")
    if not 0 <= threshold <= 1:
        raise UsageError(f"threshold must be from 0 to 1, a probability, not {threshold!r}")


def _named(images: Iterable[Given]) -> Iterator[tuple[str, Given]]:
    """Yield each image, folders unfolded, with its name."""
    for index, image in enumerate(images):
        if isinstance(image, str | Path):
            yield from ((str(path), path) for path in files_of(image))
        else:
            yield name_of(image, index), image


def _read_ahead(images: Iterator[tuple[str, Given]], asked: Predictor) -> Iterator[list[tuple[str, Tensor | Unread]]]:
    """Yield batches of pixels, uint8 (C, H, W) each, or what is wrong instead; read in threads, as Pillow allows."""
    pool = ThreadPoolExecutor(os.cpu_count())
    waiting: deque[list[tuple[str, Future[Tensor | Unread]]]] = deque()
    try:
        while True:
            while len(waiting) <= _AHEAD and (part := list(itertools.islice(images, _BATCH))):
                waiting.append([(name, pool.submit(_read, image, name, asked)) for name, image in part])
            if not waiting:
                return
            yield [(name, future.result()) for name, future in waiting.popleft()]
    finally:
        # On an interruption the images that wait are given up, not decoded first.
        pool.shutdown(cancel_futures=True)


def _read(image: Given, name: str, asked: Predictor) -> Tensor | Unread:
    try:
        return asked.read(image, name)
    except (DamagedError, UsageError) as error:
        if isinstance(error, UsageError) and not isinstance(image, str | Path):
            raise  # the program's own fault
        return Unread(name, error)
