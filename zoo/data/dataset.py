"""What a dataset is: two splits of labelled uint8 images, and the names and statistics that go with them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Split(Protocol):
    """Labelled images that are fetched a batch at a time.

    A split may hold its images in memory, or read them when they are asked for: only `batch` touches them.

    One whose samples have names of their own may say so with two further attributes, which `TensorImages` takes as
    arguments: ``names``, N different texts, each a sample's own and the same whatever other samples there are, such as
    its path relative to the dataset's root, as POSIX text in NFC; and ``sizes``, the bytes of each sample's file.

    One whose samples are not all to be seen alike has the attribute ``weights``, float64 (N,): an epoch of training
    visits each in proportion to its weight, and as many in all as there are; one of weight 0 never.
    """

    @property
    def labels(self) -> Tensor:
        """All labels, int64 (N,), each in [0, K)."""

    def __len__(self) -> int:
        """The number of images, N."""

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images at *indices*, int64 (B,), as uint8 (B, C, H, W), and their labels, int64 (B,)."""


class TensorImages:
    """A split that is held in memory.

    Args:
        images: uint8 (N, C, H, W).
        labels: int64 (N,).
        names: N different texts, each a sample's own name within the dataset, as `Split` says; None for none.
        sizes: N numbers, the bytes of each sample's file; None where there are no files.
        partners: Which samples mixing takes: ``"any"``, or ``"near"`` for some that come a few places earlier in an
            epoch's order, as where the same images are read while training.
        weights: float64 (N,), how often each is seen, as `Split` says; None for alike.

    Raises:
        ValueError: If the shapes or types are others, the lengths differ, or two samples have one name.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        *,
        names: Sequence[str] | None = None,
        sizes: Sequence[int] | None = None,
        partners: str = "any",
        weights: Tensor | None = None,
    ) -> None:
        if images.dtype != torch.uint8 or images.ndim != 4:
            raise ValueError(f"images must be uint8 (N, C, H, W), not {images.dtype} {tuple(images.shape)}")
        if labels.dtype != torch.int64 or labels.shape != images.shape[:1]:
            raise ValueError(
                f"labels must be int64 ({len(images)},), one for each image, not {labels.dtype} {tuple(labels.shape)}"
            )
        for what, given in (("names", names), ("sizes", sizes)):
            if given is not None and len(given) != len(images):
                raise ValueError(f"{what} must be {len(images)}, one for each image, not {len(given)}")
        if names is not None and len(set(names)) < len(names):
            twice = next(name for name, count in Counter(names).items() if count > 1)
            raise ValueError(f"two images are called {twice!r}: each must have a name of its own")
        self.images = images
        self.labels = labels
        self.names = names
        self.sizes = sizes
        self.partners = partners
        self.weights = None if weights is None else checked_weights(weights, len(images))

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images, uint8 (B, C, H, W), and labels, int64 (B,), at *indices*, int64 (B,)."""
        return self.images.index_select(0, indices), self.labels.index_select(0, indices)


def checked_weights(weights: Tensor, count: int) -> Tensor:
    """Return weights of samples as float64 (N,).

    Raises:
        ValueError: If there are not *count*, one is negative or not finite, or all are 0.
    """
    checked = weights.double()
    if (
        checked.shape != (count,)
        or not bool(checked.isfinite().all())
        or bool((checked < 0).any())
        or not checked.any()
    ):
        raise ValueError(f"weights must be {count} numbers, one for each image, none below 0 and not all 0")
    return checked


def weights_of(split: Split) -> Tensor | None:
    """Return how often each sample is to be seen, float64 (N,), or None for alike."""
    found: Tensor | None = getattr(split, "weights", None)
    return found


@dataclass(frozen=True)
class ImageFacts:
    """What a model must know of the images that it was trained on; kept with its weights.

    Attributes:
        classes: K names; logit k is for ``classes[k]``.
        mean: C numbers, the training pixels' means, where white is 1.
        std: C numbers, their standard deviations.
        in_channels: C.
        image_size: (H, W), in pixels, as the dataset stores them.
        fit: How a picture of another aspect became one of that size: ``"stretch"``, ``"pad"`` or ``"crop"``.
    """

    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    in_channels: int
    image_size: tuple[int, int]
    fit: str = "stretch"

    @property
    def num_classes(self) -> int:
        """K, the number of classes."""
        return len(self.classes)


@dataclass(frozen=True)
class Dataset:
    """What a dataset builder returns.

    Attributes:
        train: The split that is learnt from; the validation images are taken from it where there are no others.
        test: The split that is read once, at the end.
        classes: K names; label k means ``classes[k]``.
        mean: C numbers, the training pixels' means, where white is 1; if left out, a run measures them.
        std: C numbers, their standard deviations, each above 0; if left out, a run measures them.
        validation: The validation images, or None: then a run holds some of the training images out.
        stream: Whether images that are encoded are read while training; None leaves it to their number.
        fit: How pictures of another aspect became the images: ``"stretch"``, ``"pad"`` or ``"crop"``; predictions are
            made of pictures in the same way.
        divisible: Whether a run may hold out any of the training images; False where some belong together.
        groups: N texts, one for each training image, the same for those that a cross-validation may not divide; an
            empty one for an image by itself. None for no groups.

    Raises:
        ValueError: If a split is empty, there are fewer than two classes, two have one name, a label is none of them,
            or the statistics do not fit the channels.
    """

    train: Split
    test: Split
    classes: Sequence[str]
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    validation: Split | None = None
    stream: bool | None = None
    fit: str = "stretch"
    divisible: bool = True
    groups: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if not all(map(len, self.splits)):
            counts = [f"{len(split)} {name}" for name, split in self._named]
            raise ValueError(f"a split is empty: {' and '.join(counts)} images")
        if len(self.classes) < 2:
            raise ValueError(f"a dataset needs at least two classes, not {list(self.classes)!r}")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"two classes have one name: {list(self.classes)!r:.100}")
        for name, split in self._named:
            if not split.labels.is_cpu:  # they were looked at before they were moved
                continue
            low, high = int(split.labels.min()), int(split.labels.max())
            if low < 0 or high >= len(self.classes):
                raise ValueError(
                    f"the {name} labels go from {low} to {high}, and there are {len(self.classes)} classes: "
                    f"they must be from 0 to {len(self.classes) - 1}"
                )
        if self.groups is not None and len(self.groups) != len(self.train):
            raise ValueError(f"groups must be {len(self.train)}, one for each training image, not {len(self.groups)}")
        if self.mean is not None or self.std is not None:
            self._check_statistics(self.mean or (), self.std or ())

    def _check_statistics(self, mean: Sequence[float], std: Sequence[float]) -> None:
        fits = len(mean) == len(std) == self.in_channels
        if not fits or not all(map(math.isfinite, mean)) or not all(0 < value < math.inf for value in std):
            raise ValueError(
                f"mean {list(mean)!r} and std {list(std)!r} must have {self.in_channels} numbers each, "
                "one for each channel, and every std must be above 0"
            )

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that there are."""
        return tuple(split for _, split in self._named)

    @property
    def _named(self) -> list[tuple[str, Split]]:
        named = [("training", self.train), ("test", self.test)]
        return named if self.validation is None else [*named, ("validation", self.validation)]

    @property
    def facts(self) -> ImageFacts:
        """What a model must know of the images; as long as the pixels are not measured, each mean is 0 and std 1."""
        channels, height, width = self._shape
        mean, std = self.mean or (0.0,) * channels, self.std or (1.0,) * channels
        return ImageFacts(tuple(self.classes), tuple(mean), tuple(std), channels, (height, width), self.fit)

    @property
    def num_classes(self) -> int:
        """K, the number of classes."""
        return len(self.classes)

    @property
    def in_channels(self) -> int:
        """C, the number of channels."""
        return self._shape[0]

    @property
    def _shape(self) -> tuple[int, int, int]:
        if (shape := getattr(self.train, "shape", None)) is not None:  # it reads files when asked for images
            told: tuple[int, int, int] = shape
            return told
        images, _ = self.train.batch(torch.zeros(1, dtype=torch.int64, device=self.train.labels.device))
        channels, height, width = images.shape[1:]
        return channels, height, width
