"""From encoded images to a dataset: how large they become, and whether they are grey, is told from their headers."""

from __future__ import annotations

import logging
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from zoo.data.dataset import Dataset
from zoo.data.encoded import Encoded, EncodedImages, opened, probe
from zoo.data.statistics import spread
from zoo.data.threads import for_each
from zoo.errors import DamagedError, DamagedFilesError, UsageError
from zoo.files.images import ImageHeader, read_opened

LARGEST_COMMON = 512
"""Pixels a side up to which images of one size keep it."""
LARGEST_SQUARE = 224
"""Pixels a side of the square that is chosen otherwise, at most."""
_LOOKED_THROUGH = 50_000  # images among which, after the first damaged one, all the others are sought

_log = logging.getLogger("zoo")


Weights = Tensor | Sequence[float] | None
Labelled = tuple[Encoded, Tensor | Sequence[int]] | tuple[Encoded, Tensor | Sequence[int], Weights]
"""Encoded images, their labels and perhaps their weights, as a plain tuple."""


class LabelledImages(NamedTuple):
    """Encoded images, their labels, int64 (N,) or N whole numbers, and N weights, as `Split` knows them, or None."""

    source: Encoded
    labels: Tensor | Sequence[int]
    weights: Weights = None


def encoded_dataset(
    train: LabelledImages | Labelled,
    test: LabelledImages | Labelled,
    classes: Sequence[str],
    *,
    validation: LabelledImages | Labelled | None = None,
    size: int | Sequence[int] | None = None,
    color: bool | None = None,
    stream: bool | None = None,
    fit: str = "stretch",
    divisible: bool = True,
    groups: Sequence[str] | None = None,
) -> Dataset:
    """Make a dataset of encoded images: files, members of archives, rows of tables. No pixel is read yet.

    A run decodes them into memory, or streams them, and measures their mean and standard deviation.

    Args:
        train: The training images, and their labels, in [0, K); and perhaps weights, how often each is to be seen.
        test: The test images and their labels.
        classes: K names.
        validation: The validation images and their labels; None where a run is to hold some out.
        size: [H, W] to which images are resized, or one number for both. If left out, the model's own size; where
            it has none, the training images' where all have the same, at most 512 a side; else a square, whose side
            is the median of their shorter sides, at most 224.
        color: True for three channels, False for one. If left out: three if any training image is in colour.
        stream: Whether images are read while training; None: where they would take more than a quarter of the memory.
        fit: How another aspect becomes the size's: ``"stretch"``; ``"pad"`` with grey; ``"crop"`` from the middle.
        divisible: Whether a run may hold out any of the training images; False where some belong together.
        groups: The training images' groups, as of `zoo.Dataset`.

    Returns:
        The dataset. Of more than 4,096 training images, that many are looked at to choose size and colour.

    Raises:
        UsageError: If *size* or *fit* cannot be.
        DamagedFilesError: If images that were looked at are none, or damaged.
    """
    parts = [LabelledImages(*part) for part in (train, test, validation) if part is not None]
    wanted = None if size is None else checked_size(size)
    if wanted is None or color is None:
        headers = _headers(parts)
        color = any(header.channels == 3 for header in headers) if color is None else color
    chosen = wanted or _chosen_size([(header.height, header.width) for header in headers])
    splits = [
        EncodedImages(
            part.source,
            torch.as_tensor(part.labels, dtype=torch.int64),
            channels=3 if color else 1,
            size=chosen,
            fixed=wanted is not None,
            fit=fit,
            weights=None if part.weights is None else torch.as_tensor(part.weights, dtype=torch.float64),
        )
        for part in parts
    ]
    judged = splits[2] if validation else None
    return Dataset(
        splits[0],
        splits[1],
        classes,
        validation=judged,
        stream=stream,
        fit=fit,
        divisible=divisible,
        groups=groups,
    )


def checked_size(size: int | Sequence[int]) -> tuple[int, int]:
    """Return (H, W) of a size that somebody wishes: one side, or height and width.

    Raises:
        UsageError: If it is neither.
    """
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) != 2 or not all(isinstance(side, int) and 1 <= side <= 65_535 for side in sides):
        raise UsageError(f"size must be one side or [height, width] in pixels, not {size!r}")
    return sides[0], sides[1]


def _chosen_size(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    if len(set(sizes)) == 1 and max(sizes[0]) <= LARGEST_COMMON:
        return sizes[0]
    side = min(LARGEST_SQUARE, round(statistics.median(map(min, sizes))))
    return side, side


def _headers(parts: Sequence[LabelledImages]) -> list[ImageHeader]:
    """Return the headers of training images: of all, or of some where they are many."""
    source = parts[0].source
    indices = spread(len(source.names)).tolist()
    found = dict.fromkeys(indices, ImageHeader(1, 1, 1))

    def look(place: int) -> None:
        found[indices[place]] = probe(source, indices[place])

    faults = for_each(len(indices), look, "looking at images")
    if faults:
        raise _every_damage(parts, {source.place(indices[i]): fault for i, fault in faults.items()})
    return list(found.values())


def _every_damage(parts: Sequence[LabelledImages], found: Mapping[str, DamagedError]) -> DamagedFilesError:
    """Return what is wrong with any of the images, so that they can be mended in one go.

    Args:
        parts: All images of the dataset; unless they are very many they are decoded: it is the end of the command.
        found: What is known to be wrong, by place.
    """
    faults: dict[str, DamagedError] = {}
    for source, *_ in parts if sum(len(part.source.names) for part in parts) <= _LOOKED_THROUGH else ():

        def look(index: int, source: Encoded = source) -> None:
            with opened(source, index) as file:
                read_opened(file, source.place(index), 1, (8, 8))

        wrong = for_each(len(source.names), look, "looking for damaged images")
        faults.update((source.place(index), fault) for index, fault in wrong.items())
    return DamagedFilesError({**faults, **found}, parts[0].source.cure)
