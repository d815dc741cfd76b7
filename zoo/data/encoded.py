"""Splits whose images stay encoded, in files or elsewhere, and are decoded when they are asked for."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import BinaryIO, Protocol, TypeGuard

import torch
from torch import Tensor

from zoo.data.dataset import Split, checked_weights
from zoo.errors import DamagedError, UsageError
from zoo.files.fitting import Box
from zoo.files.images import ImageHeader, check_wanted, probe_opened, read_opened


class Encoded(Protocol):
    """Encoded images: files in a folder, members of an archive, rows of a table. Threads may open several at once."""

    @property
    def names(self) -> Sequence[str]:
        """N different texts, each an image's own whatever other images there are, as `Split` says."""

    @property
    def sizes(self) -> Sequence[int] | None:
        """The bytes of each image as it is encoded; None where nobody knows without reading it."""

    @property
    def cure(self) -> str:
        """What to do about an image that cannot be read, in a sentence."""

    def place(self, index: int) -> str:
        """Return how messages name an image: its path."""

    def open(self, index: int) -> BinaryIO:
        """Open an image at its first byte, which is the stream's byte 0.

        Raises:
            UsageError: If it is not there.
            DamagedError: If it is not what it was.
        """


class Streamed(Split, Protocol):
    """A split that reads its images when they are asked for: zoo reads some batches ahead, in threads."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of each image."""

    @property
    def partners(self) -> str:
        """Which samples mixing takes, as `TensorImages` says: ``"near"`` where reading an image takes time."""

    def read_into(self, images: Tensor, indices: Tensor) -> None:
        """Read the images at *indices*, int64 (B,), into *images*, uint8 (B, C, H, W); several threads may at once.

        Raises:
            DamagedError: If one cannot be read; it names it.
        """


class Cuttable(Streamed, Protocol):
    """A split that streams and can read a part of an image in the place of all of it."""

    def read_parts_into(self, images: Tensor, indices: Tensor, boxes: Tensor) -> None:
        """Read parts of the images at *indices*, int64 (B,), into *images*, uint8 (B, C, H, W), as `read_into` does.

        Args:
            images: Where each part is enlarged to.
            indices: Of which images.
            boxes: float64 (B, 4): top, left, height and width, as shares of what `read_into` would give.
        """


def is_cuttable(split: Split) -> TypeGuard[Cuttable]:
    """Return whether *split* can read parts of its images."""
    return is_streamed(split) and hasattr(split, "read_parts_into")


def is_streamed(split: Split) -> TypeGuard[Streamed]:
    """Return whether *split* reads its images when they are asked for."""
    return hasattr(split, "read_into")


def new_batch(count: int, shape: tuple[int, int, int]) -> Tensor:
    """Return room for *count* images, uint8 (B, C, H, W), in channels_last, which is how decoders give them.

    Freed batches are used again, by torch's allocator for pinned memory where CUDA computes, which also knows when
    the last copy out of one is over, and by the process's else.
    """
    return torch.empty(
        (count, *shape),
        dtype=torch.uint8,
        memory_format=torch.channels_last,
        pin_memory=torch.cuda.is_initialized(),  # type: ignore[no-untyped-call]
    )


class EncodedImages:
    """A split whose images are decoded, all to one size and number of channels, when they are asked for.

    Args:
        source: The encoded images.
        labels: int64 (N,).
        channels: C, 1 for grey or 3 for colour.
        size: (H, W) to which images are resized.
        fit: How another aspect becomes that one: ``"stretch"``, ``"pad"`` or ``"crop"``, as `read_image` knows them.
        fixed: Whether somebody asked for that size; else the model's own, if it has one, takes its place.
        weights: float64 (N,), how often each is seen, as `Split` says; None for alike.

    Raises:
        ValueError: If the labels have another shape or type.
        UsageError: If the channels or the size cannot be.
    """

    partners = "near"

    def __init__(
        self,
        source: Encoded,
        labels: Tensor,
        *,
        channels: int,
        size: tuple[int, int],
        fixed: bool = False,
        fit: str = "stretch",
        weights: Tensor | None = None,
    ) -> None:
        if labels.dtype != torch.int64 or labels.shape != (len(source.names),):
            raise ValueError(
                f"labels must be int64 ({len(source.names)},), one for each image, not {labels.dtype} "
                f"{tuple(labels.shape)}"
            )
        check_wanted(channels, size, fit)
        self.source = source
        self.labels = labels
        self.weights = None if weights is None else checked_weights(weights, len(labels))
        self.channels = channels
        self.size = size
        self.fixed = fixed
        self.fit = fit
        self.interpolation = "bilinear"

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def names(self) -> Sequence[str]:
        """Each image's own name."""
        return self.source.names

    @property
    def sizes(self) -> Sequence[int] | None:
        """The bytes of each image as it is encoded, or None where nobody knows."""
        return self.source.sizes

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of each image."""
        return self.channels, *self.size

    def at(self, size: tuple[int, int], interpolation: str = "bilinear", fit: str | None = None) -> EncodedImages:
        """Return the same images in another size, (H, W), resized and fitted as `read_image` knows it."""
        check_wanted(self.channels, size)
        other = copy.copy(self)
        other.size, other.interpolation, other.fit = size, interpolation, fit or self.fit
        return other

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images, uint8 (B, C, H, W), and labels, int64 (B,), at *indices*, int64 (B,).

        Raises:
            DamagedError: If an image cannot be read.
        """
        images = new_batch(len(indices), self.shape)
        self.read_into(images, indices)
        return images, self.labels.index_select(0, indices)

    def read_into(self, images: Tensor, indices: Tensor) -> None:
        """Read the images at *indices*, int64 (B,), into *images*, uint8 (B, C, H, W).

        Raises:
            DamagedError: If an image cannot be read; it names it.
        """
        for image, index in zip(images, indices.tolist(), strict=True):
            self._read(image, index, None)

    def read_parts_into(self, images: Tensor, indices: Tensor, boxes: Tensor) -> None:
        """Read parts of the images at *indices*, int64 (B,), into *images*, uint8 (B, C, H, W), with all their detail.

        Args:
            images: Where each part is enlarged to.
            indices: Of which images.
            boxes: float64 (B, 4): top, left, height and width, as shares of what `read_into` would give.

        Raises:
            DamagedError: If an image cannot be read; it names it.
        """
        for image, index, box in zip(images, indices.tolist(), boxes.tolist(), strict=True):
            self._read(image, index, Box(*box))

    def _read(self, image: Tensor, index: int, box: Box | None) -> None:
        with opened(self.source, index) as file:
            place = self.source.place(index)
            image.copy_(read_opened(file, place, self.channels, self.size, self.interpolation, self.fit, box))


def probe(source: Encoded, index: int) -> ImageHeader:
    """Read the header of an image.

    Raises:
        DamagedError: If it cannot be read.
    """
    with opened(source, index) as file:
        return probe_opened(file, source.place(index))


def opened(source: Encoded, index: int) -> BinaryIO:
    """Open an image of a dataset, whose absence is no wrong usage: it was there when the dataset was looked through.

    Raises:
        DamagedError: If it is not there, or not what it was.
    """
    try:
        return source.open(index)
    except UsageError as error:
        raise DamagedError(str(error)) from error
