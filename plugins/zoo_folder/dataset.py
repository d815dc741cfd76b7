"""A folder of images as a dataset in memory."""

from __future__ import annotations

import logging
import statistics as numbers
from collections.abc import Sequence
from pathlib import Path

import torch

import zoo
from zoo_folder.deciding import EXPECTED
from zoo_folder.decoding import decode, every_damage, probe, statistics
from zoo_folder.layout import Layout, Sample, Splits, find_images
from zoo_folder.memory import check_fits

LARGEST_COMMON = 512  # pixels a side up to which images of one size keep it
LARGEST_SQUARE = 224  # pixels a side of the square that is chosen otherwise, at most

_log = logging.getLogger("zoo.folder")


def folder(
    *,
    root: str | None = None,
    size: int | list[int] | None = None,
    color: bool | None = None,
    splits: bool = True,
    train: str | list[str] | None = None,
    test: str | None = None,
    test_fraction: float = 0.2,
    seed: int = 0,
    split_by: str = "auto",
) -> zoo.Dataset:
    """Read a folder of images, decoded once into memory as uint8 tensors.

    The classes are the folders' names, sorted; every other file in them must be an image that `zoo.read_image` reads.
    Names that begin with a dot are ignored.

    Args:
        root: The folder, which holds ``train/CLASS/*`` and ``test/CLASS/*``; or ``train/CLASS/*`` or ``CLASS/*``
            alone, whose images are then split, each class in proportion.
        size: [H, W] to which images are resized (stretched, with antialiasing), or one number for both. If left out:
            the training images' own size where all have the same, at most 512 a side; else a square, whose side is
            the median of their shorter sides, at most 224.
        color: True for three channels, False for one. If left out: three if any training image is in colour.
        splits: False where the folders in *root* are classes, whatever their names.
        train: Which folders below *root* hold the training images, class by class, where their names do not tell.
        test: Which one holds the test images. Given *train* alone, some of its images are kept for testing.
        test_fraction: The share that is kept for testing, in (0, 1), where there is no test folder.
        seed: Which images those are.
        split_by: The run's setting: ``"order"`` chooses them by their order, as the first runs did, and any other by a
            hash of each one's own name.

    Returns:
        The dataset, with the mean and standard deviation of the training images' pixels.

    Raises:
        UsageError: If *root* is not given, is no folder, or is laid out otherwise, or another option cannot be.
        DamagedFilesError: If files are no images, or damaged ones: all of them at once.
        ZooError: If the images do not fit into memory.
    """
    if root is None:
        raise zoo.UsageError(f"which images? --set data.root=DIR tells the folder. {EXPECTED.replace('ROOT', 'DIR')}.")
    if not 0 < test_fraction < 1:
        raise zoo.UsageError(f"test_fraction must be above 0 and below 1, not {test_fraction!r}")
    wanted = None if size is None else _checked_size(size)
    layout = find_images(
        Path(root).expanduser(),
        test_fraction,
        seed,
        by_name=split_by != "order",
        splits=Splits(train, test, any=splits),
    )
    try:
        learnt, tested = _splits(layout, wanted, color)
    except zoo.DamagedFilesError as error:
        raise every_damage([sample.path for sample in (*layout.train, *layout.test)], error) from error
    mean, std = statistics(learnt.images)
    return zoo.Dataset(learnt, tested, layout.classes, mean, std)


def _splits(
    layout: Layout, wanted: tuple[int, int] | None, color: bool | None
) -> tuple[zoo.TensorImages, zoo.TensorImages]:
    """Decode the training and the test images, in the shape that is asked for or else chosen."""
    if wanted is None or color is None:
        headers = probe([sample.path for sample in layout.train])
        color = any(channels == 3 for channels, *_ in headers) if color is None else color
        wanted = wanted or _chosen_size([(height, width) for _, height, width in headers])
    channels = 3 if color else 1
    check_fits(len(layout.train) + len(layout.test), channels, wanted)
    return _read(layout.train, channels, wanted), _read(layout.test, channels, wanted)


def _checked_size(size: int | list[int]) -> tuple[int, int]:
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) != 2 or not all(isinstance(side, int) and 1 <= side <= 65_535 for side in sides):
        raise zoo.UsageError(f"size must be one side or [height, width] in pixels, not {size!r}")
    return sides[0], sides[1]


def _chosen_size(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    if len(set(sizes)) == 1 and max(sizes[0]) <= LARGEST_COMMON:
        return sizes[0]
    side = min(LARGEST_SQUARE, round(numbers.median(map(min, sizes))))
    _log.warning("folder: images are resized to %d x %d; --set data.size=N or [H, W] chooses another size", side, side)
    return side, side


def _read(samples: Sequence[Sample], channels: int, size: tuple[int, int]) -> zoo.TensorImages:
    images = decode([sample.path for sample in samples], channels, size)
    return zoo.TensorImages(
        images,
        torch.tensor([sample.label for sample in samples], dtype=torch.int64),
        names=[sample.name for sample in samples],
        sizes=[sample.path.stat().st_size for sample in samples],
    )
