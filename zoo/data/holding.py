"""Where a dataset's images are while a run lasts: decoded in memory, on the device, or in their files."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Callable

import torch

from zoo.data.dataset import Dataset, Split, TensorImages, weights_of
from zoo.data.encoded import EncodedImages, Streamed, is_streamed
from zoo.data.memory import SHARE, check_fits, whole_memory
from zoo.data.packed import PackedImages
from zoo.data.preparation import resident
from zoo.data.statistics import pixel_statistics
from zoo.data.threads import for_each
from zoo.errors import DamagedError, DamagedFilesError

_log = logging.getLogger("zoo")


def held(
    dataset: Dataset,
    size: tuple[int, int] | None,
    device: torch.device | str,
    interpolation: str = "bilinear",
    *,
    cut: bool = False,
) -> Dataset:
    """Return *dataset* as a run trains on it: in one size, in memory where it fits, its pixels measured.

    Args:
        dataset: As its builder returned it.
        size: (H, W) that the model asks for, or None.
        device: Where images in memory go.
        interpolation: How the model's inputs are resized.
        cut: Whether parts of the training images are cut from their files, in which they stay.

    Raises:
        DamagedError: If images cannot be read: all that were come upon are named.
        ZooError: If the images do not fit into memory, where nothing else was allowed.
    """
    dataset = sized(dataset, size, interpolation)
    dataset = moved(dataset if streams(dataset) else decoded(dataset, but_train=cut), device)
    if dataset.mean is not None and dataset.std is not None:
        return dataset
    mean, std = pixel_statistics(dataset.train)
    return dataclasses.replace(dataset, mean=mean, std=std)


def sized(
    dataset: Dataset, size: tuple[int, int] | None, interpolation: str = "bilinear", fit: str | None = None
) -> Dataset:
    """Return *dataset* with encoded images decoded to *size*, (H, W), unless somebody chose another; None for no wish.

    So they are resized once, as they are decoded, by *interpolation*, and not again as inputs. *fit* takes the place
    of the dataset's own.
    """
    found = _each(dataset, lambda split: _at(split, size, interpolation, fit))
    source = getattr(found.train, "source", None)
    if isinstance(source, PackedImages) and (line := source.enlarged(found.facts.image_size)):
        _log.warning("%s", line)
    return found


def moved(dataset: Dataset, device: torch.device | str) -> Dataset:
    """Return *dataset* with what is in memory on the device."""
    return _each(dataset, lambda split: resident(split, device))


def streams(dataset: Dataset) -> bool:
    """Return whether a dataset's encoded images are read while training, as was asked for or as their number tells.

    The rule looks at the memory that the machine has, not at what is free at the moment, so that the same command
    does the same again.
    """
    encoded = [split for split in dataset.splits if is_streamed(split)]
    if not encoded or dataset.stream is not None:
        return bool(encoded and dataset.stream)
    memory = whole_memory()
    return memory is not None and sum(map(_bytes, encoded)) > SHARE * memory


def decoded(dataset: Dataset, *, but_train: bool = False) -> Dataset:
    """Return *dataset* with all images in memory, or all but those that are trained on.

    Raises:
        DamagedFilesError: If images cannot be read.
        ZooError: If they do not fit.
    """
    left = dataset.train if but_train else None
    encoded = [split for split in dataset.splits if is_streamed(split) and split is not left]
    if not encoded:
        return dataset
    count, needed = sum(map(len, encoded)), sum(map(_bytes, encoded))
    what = f"{count:,} images of {' x '.join(map(str, encoded[0].shape))}"
    smaller = f"--set data.size={max(1, min(encoded[0].shape[1:]) // 2)} makes them smaller"
    check_fits(needed, what, f"--set data.stream=true reads them while training, {smaller}")
    faults: dict[str, DamagedError] = {}
    dataset = _each(dataset, lambda split: split if split is left else _decoded(split, faults))
    if faults:
        raise DamagedFilesError(faults, cure_of(encoded[0]))
    return dataset


def cure_of(split: Split) -> str:
    """Return what to do about an image of *split* that cannot be read."""
    return split.source.cure if isinstance(split, EncodedImages) else ""


def _each(dataset: Dataset, change: Callable[[Split], Split]) -> Dataset:
    train, test = change(dataset.train), change(dataset.test)
    validation = None if dataset.validation is None else change(dataset.validation)
    return dataclasses.replace(dataset, train=train, test=test, validation=validation)


def _bytes(split: Streamed) -> int:
    return len(split) * math.prod(split.shape)


def _at(split: Split, size: tuple[int, int] | None, interpolation: str, fit: str | None) -> Split:
    if not isinstance(split, EncodedImages):
        return split
    chosen = split.size if size is None or split.fixed else size
    # What will be resized once more, as an input, is resized by the plainest filter here.
    return split.at(chosen, interpolation if size in (None, chosen) else "bilinear", fit)


def _decoded(split: Split, faults: dict[str, DamagedError]) -> Split:
    """Return *split* with its images in memory, and add what cannot be read to *faults*."""
    if not is_streamed(split):
        return split
    images = torch.empty((len(split), *split.shape), dtype=torch.uint8)
    indices = torch.arange(len(split)).unsqueeze(1)
    found = for_each(len(split), lambda i: split.read_into(images[i : i + 1], indices[i]), "decoding images")
    place = split.source.place if isinstance(split, EncodedImages) else str
    faults.update((place(index), fault) for index, fault in found.items())
    names, sizes = getattr(split, "names", None), getattr(split, "sizes", None)
    return TensorImages(
        images, split.labels, names=names, sizes=sizes, partners=split.partners, weights=weights_of(split)
    )
