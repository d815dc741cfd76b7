"""A folder of images as a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch

import zoo
from zoo_folder.deciding import EXPECTED
from zoo_folder.layout import Samples, Splits, find_images

CURE = "Remove it, or begin its name with a dot."


def folder(
    *,
    root: str | None = None,
    size: int | list[int] | None = None,
    color: bool | None = None,
    splits: bool = True,
    train: str | list[str] | None = None,
    test: str | None = None,
    stream: bool | None = None,
    fit: Literal["stretch", "pad", "crop"] = "stretch",
    test_fraction: float = 0.2,
    seed: int = 0,
    split_by: str = "auto",
) -> zoo.Dataset:
    """Read a folder of images, however many they are.

    The classes are the folders' names, sorted; every other file in them must be an image that `zoo.read_image` reads.
    Names that begin with a dot are ignored.

    Args:
        root: The folder, which holds ``train/CLASS/*`` and ``test/CLASS/*``; or ``train/CLASS/*`` or ``CLASS/*``
            alone, whose images are then split. A validation folder beside a test folder is the validation set.
        size: [H, W] to which images are resized, with antialiasing, or one number for both. If left out,
            the size that the model asks for; if it asks for none, the training images' own where all have the same,
            at most 512 a side; else a square, whose side is the median of their shorter sides, at most 224.
        color: True for three channels, False for one. If left out: three if any training image is in colour.
        splits: False where the folders in *root* are classes, whatever their names.
        train: Which folders below *root* hold the training images, class by class, where their names do not tell.
        test: Which one holds the test images. Given *train* alone, some of its images are kept for testing.
        stream: Whether images are read while training; False decodes them all first. If left out: only where they
            would take more than a quarter of the machine's memory.
        fit: How a picture of another aspect becomes one of that size: stretched, padded with grey, or cropped from its
            middle. Pictures that are predicted are fitted in the same way.
        test_fraction: The share that is kept for testing, in (0, 1), where there is no test folder.
        seed: Which images those are.
        split_by: The run's setting: ``"order"`` chooses them by their order, as the first runs did, and any other by a
            hash of each one's own name.

    Returns:
        The dataset; a run measures the mean and standard deviation of the training images' pixels.

    Raises:
        UsageError: If *root* is not given, is no folder, or is laid out otherwise, or another option cannot be.
        DamagedFilesError: If files are no images, or damaged ones: all of them at once.
    """
    if root is None:
        raise zoo.UsageError(f"which images? --set data.root=DIR tells the folder. {EXPECTED.replace('ROOT', 'DIR')}.")
    if not 0 < test_fraction < 1:
        raise zoo.UsageError(f"test_fraction must be above 0 and below 1, not {test_fraction!r}")
    folder = Path(root).expanduser()
    layout = find_images(
        folder, test_fraction, seed, by_name=split_by != "order", splits=Splits(train, test, any=splits)
    )
    return zoo.encoded_dataset(
        _labelled(folder, layout.train),
        _labelled(folder, layout.test),
        layout.classes,
        validation=_labelled(folder, layout.validation) if layout.validation else None,
        size=size,
        color=color,
        stream=stream,
        fit=fit,
    )


def _labelled(root: Path, samples: Samples) -> tuple[zoo.ImageFiles, torch.Tensor]:
    return zoo.ImageFiles(root, samples.paths, cure=CURE), samples.labels
