"""Images in arrays as a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import zoo
from zoo_arrays.reading import Array, read_arrays

_NAMES = {
    "train": ("train", "training"),
    "test": ("test", "testing"),
    "validation": ("validation", "val", "valid"),
}
_LAYOUT = "train_images and train_labels, or x_train and y_train, and the same for test and validation"
_MOST = 100_000  # classes, unless there are as many images: larger numbers are no classes, but names of something


class ArrayImages:
    """A split whose images lie in an array, which may be mapped from a file: only what is asked for is read.

    Args:
        array: uint8 (N, H, W), (N, H, W, C) or (N, C, H, W).
        labels: int64 (N,).
    """

    partners = "near"

    def __init__(self, array: Array, labels: Tensor) -> None:
        self.labels = labels
        if array.ndim == 3:
            array = array[:, None]
        elif array.shape[3] in (1, 3):
            array = array.transpose(0, 3, 1, 2)
        self._array = array  # (N, C, H, W)
        channels, height, width = array.shape[1:]
        self.shape: tuple[int, int, int] = channels, height, width

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images, uint8 (B, C, H, W), and labels, int64 (B,), at *indices*, int64 (B,)."""
        images = torch.empty((len(indices), *self.shape), dtype=torch.uint8)
        self.read_into(images, indices)
        return images, self.labels.index_select(0, indices)

    def read_into(self, images: Tensor, indices: Tensor) -> None:
        """Copy the images at *indices*, int64 (B,), into *images*, uint8 (B, C, H, W)."""
        for image, index in zip(images, indices.tolist(), strict=True):
            np.copyto(image.numpy(), self._array[index])


def arrays(
    *, root: str | None = None, stream: bool | None = None, test_fraction: float = 0.2, seed: int = 0
) -> zoo.Dataset:
    """Read images and labels from arrays; none is unpickled, and those in .npy and .safetensors files are mapped.

    Args:
        root: A folder of .npy files, an .npz or a .safetensors file, with the arrays ``train_images`` and
            ``train_labels``, ``test_images`` and ``test_labels``, and optionally ``validation_images`` and
            ``validation_labels``; or ``x_train``, ``y_train`` and so on; or ``images`` and ``labels`` alone. Images are
            uint8 (N, H, W), (N, H, W, C) or (N, C, H, W), with C 1 or 3; labels whole numbers (N,) or (N, 1). An array
            ``classes`` may hold K names.
        stream: Whether images are read while training; if left out: only where they would take more than a quarter of
            the machine's memory.
        test_fraction: The share that is kept for testing, in (0, 1), where there is no test set.
        seed: Which images those are.

    Returns:
        The dataset. A validation set is the test set where there is no other.

    Raises:
        UsageError: If *root* is not given or holds other arrays; the array is named.
        DamagedError: If a file is damaged.
    """
    if root is None:
        raise zoo.UsageError("which arrays? --set data.root=PATH names a folder of .npy files, an .npz or .safetensors")
    if not 0 < test_fraction < 1:
        raise zoo.UsageError(f"test_fraction must be above 0 and below 1, not {test_fraction!r}")
    path = Path(root).expanduser()
    found = read_arrays(path)
    splits = {part: split for part in _NAMES if (split := _split(path, found, part)) is not None}
    if not splits and "images" in found:
        splits = {"train": _checked(path, found, "images", "labels")}
    if "train" not in splits:
        raise zoo.UsageError(f"{str(path)!r} has the arrays {_listed(found)}; wanted are {_LAYOUT}")
    if "test" not in splits and "validation" in splits:
        splits["test"] = splits.pop("validation")
    if "test" not in splits:
        splits |= _set_aside(splits["train"], test_fraction, seed)
    count = 1 + max(int(labels.max()) for _, labels in splits.values())
    if count > _MOST and count > (images := sum(len(labels) for _, labels in splits.values())):
        raise zoo.UsageError(
            f"{str(path)!r} has a label {count - 1:,}, and {images:,} images; labels number the classes from 0"
        )
    held = {part: ArrayImages(images, labels) for part, (images, labels) in splits.items()}
    if len(shapes := sorted({split.shape for split in held.values()})) > 1:
        raise zoo.UsageError(f"{str(path)!r} has images of several shapes: {' and '.join(map(str, shapes))}")
    classes = _classes(path, found, count)
    return zoo.Dataset(held["train"], held["test"], classes, validation=held.get("validation"), stream=stream)


def _split(path: Path, found: Mapping[str, Array], part: str) -> tuple[Array, Tensor] | None:
    for name in _NAMES[part]:
        for images, labels in ((f"{name}_images", f"{name}_labels"), (f"x_{name}", f"y_{name}")):
            if images in found:
                return _checked(path, found, images, labels)
    return None


def _checked(path: Path, found: Mapping[str, Array], images: str, labels: str) -> tuple[Array, Tensor]:
    array = found[images]
    last, first = (array.ndim == 4 and array.shape[axis] in (1, 3) for axis in (3, 1))
    if array.dtype != np.uint8 or not (array.ndim == 3 or last or first) or not array.size:
        raise zoo.UsageError(
            f"{str(path)!r}: {images} must be uint8 (N, H, W), (N, H, W, C) or (N, C, H, W) with C 1 or 3, not "
            f"{array.dtype} {array.shape}"
        )
    if labels not in found:
        raise zoo.UsageError(f"{str(path)!r}: there is {images!r} and no {labels!r}")
    return array, _checked_labels(path, labels, found[labels], len(array))


def _checked_labels(path: Path, name: str, values: Array, count: int) -> Tensor:
    if values.ndim == 2 and values.shape[1] > 1:
        raise zoo.UsageError(
            f"{str(path)!r}: {name} gives several numbers an image; zoo trains with one class for each"
        )
    if values.size != count or values.dtype.kind not in "iu":
        raise zoo.UsageError(
            f"{str(path)!r}: {name} must be {count:,} whole numbers, one for each image, not {values.dtype} "
            f"{values.shape}"
        )
    labels = torch.from_numpy(values.reshape(-1).astype(np.int64))
    if int(labels.min()) < 0:
        index = int(labels.argmin())
        raise zoo.UsageError(f"{str(path)!r}: {name}[{index}] is {int(labels[index])}; classes count from 0")
    return labels


def _set_aside(whole: tuple[Array, Tensor], fraction: float, seed: int) -> dict[str, tuple[Array, Tensor]]:
    images, labels = whole
    parts = zoo.split_by_name([str(index) for index in range(len(labels))], labels, fraction, seed)
    return {name: (images[part.numpy()], labels[part]) for name, part in zip(("train", "test"), parts, strict=True)}


def _classes(path: Path, found: Mapping[str, Array], count: int) -> list[str]:
    names = found.get("classes")
    if names is None:
        return [str(label) for label in range(count)]
    if names.dtype.kind != "U" or names.ndim != 1 or len(names) < count:
        raise zoo.UsageError(f"{str(path)!r}: classes must be {count} or more texts, not {names.dtype} {names.shape}")
    return [str(name) for name in names]


def _listed(found: Mapping[str, Array]) -> str:
    return ", ".join(map(repr, sorted(found))) or "none"
