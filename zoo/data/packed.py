"""The images of a pack as a dataset: encoded ones, decoded when they are wanted, or pixels as they are."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from zoo.data.dataset import Dataset, Split
from zoo.data.encoded import EncodedImages
from zoo.data.lazy import Lazy
from zoo.data.pictures import checked_size
from zoo.errors import DamagedError, UsageError
from zoo.files.byte_strings import ByteStrings
from zoo.files.pack_file import PackedSplit, PackFile, text_of

MARGIN = 1.15
"""How much larger than wanted pictures stay, so that they are resized once more and may be cropped a little."""

ENCODED, PIXELS = "encoded", "pixels"
"""What a pack may hold."""


class PackedImages:
    """The encoded images of a split in a pack.

    Args:
        path: The pack, for messages.
        split: Its images.
        size: (H, W) for which they were packed.
    """

    cure = "Pack the images again."

    def __init__(self, path: Path, split: PackedSplit, size: tuple[int, int]) -> None:
        self._path = path
        self.size = size
        self._split = split
        self.names: Sequence[str] = _listed(split.names)

    def enlarged(self, size: tuple[int, int]) -> str:
        """Return a line where they are read in a size, (H, W), for which they are too small; else an empty text."""
        if all(wanted <= MARGIN * packed for wanted, packed in zip(size, self.size, strict=True)):
            return ""
        packed, wanted = (" x ".join(map(str, sides)) for sides in (self.size, size))
        return f"{str(self._path)!r} was packed for {packed} pixels: pictures that were shrunk are enlarged to {wanted}"

    @property
    def sizes(self) -> Sequence[int]:
        """The bytes of each image."""
        return Lazy(len(self._split), lambda index: int(self._split.sizes[index]))

    def place(self, index: int) -> str:
        """Return the pack's path and the image's name in it."""
        return f"{self._path}/{self.names[index]}"

    def open(self, index: int) -> BinaryIO:
        """Open an image.

        Raises:
            DamagedError: If it is not as it was packed.
        """
        return io.BytesIO(self._split.read(index))


class PackedPixels:
    """A split of a pack whose pixels are read as they are.

    Args:
        path: The pack, for messages.
        split: Its images, each C H W bytes, a pixel's channels one behind the other.
        shape: (C, H, W).
    """

    partners = "near"

    def __init__(self, path: Path, split: PackedSplit, shape: tuple[int, int, int]) -> None:
        self._path = path
        self._split = split
        self.shape = shape
        self.labels = torch.from_numpy(split.labels)
        self.weights = _weights(split)
        self.names: Sequence[str] = _listed(split.names)

    def __len__(self) -> int:
        return len(self._split)

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images, uint8 (B, C, H, W), and labels, int64 (B,), at *indices*, int64 (B,).

        Raises:
            DamagedError: If an image is not as it was packed.
        """
        images = torch.empty((len(indices), *self.shape), dtype=torch.uint8, memory_format=torch.channels_last)
        self.read_into(images, indices)
        return images, self.labels.index_select(0, indices)

    def read_into(self, images: Tensor, indices: Tensor) -> None:
        """Copy the images at *indices*, int64 (B,), into *images*, uint8 (B, C, H, W).

        Raises:
            DamagedError: If one is not as it was packed.
        """
        channels, height, width = self.shape
        for image, index in zip(images, indices.tolist(), strict=True):
            pixels = torch.frombuffer(bytearray(self._split.read(index)), dtype=torch.uint8)
            image.copy_(pixels.view(height, width, channels).permute(2, 0, 1))


def packed_dataset(
    path: str | Path,
    *,
    size: int | Sequence[int] | None = None,
    stream: bool | None = None,
    fit: str | None = None,
) -> Dataset:
    """Open a pack, which `zoo.pack` wrote, as a dataset.

    Args:
        path: The file.
        size: [H, W] to which encoded images are resized, or one number for both; if left out, the model's own, or what
            they were packed for. Pixels have their size.
        stream: Whether images are read while training; None: where they would take more than a quarter of the memory.
        fit: ``"stretch"``, ``"pad"`` or ``"crop"``; if left out, as they were packed.

    Raises:
        UsageError: If there is no such file, or a size or fit is wished of pixels.
        DamagedError: If it is no pack, or damaged.
    """
    path = Path(path)
    file = PackFile(path)
    try:
        channels, height, width = map(int, file.header["shape"])
        classes, kind = [str(name) for name in file.header["classes"]], str(file.header["kind"])
        packed_fit, divisible = str(file.header["fit"]), bool(file.header["divisible"])
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"{str(path)!r} lacks or misstates what it holds: {error}") from error
    if kind == PIXELS and (size is not None or fit not in (None, packed_fit)):
        raise UsageError(
            f"{str(path)!r} holds pixels of {height} x {width}, fitted by {packed_fit!r}; "
            "to choose others, pack without --raw"
        )
    wanted = (height, width) if size is None else checked_size(size)

    def split(name: str) -> Split:
        held = file.splits[name]
        if kind == PIXELS:
            return PackedPixels(path, held, (channels, height, width))
        return EncodedImages(
            PackedImages(path, held, (height, width)),
            torch.from_numpy(held.labels),
            channels=channels,
            size=wanted,
            fixed=size is not None,
            fit=fit or packed_fit,
            weights=_weights(held),
        )

    groups = file.splits["train"].groups
    return Dataset(
        split("train"),
        split("test"),
        classes,
        validation=split("validation") if "validation" in file.splits else None,
        stream=stream,
        fit=fit or packed_fit,
        divisible=divisible,
        groups=None if groups is None else _listed(groups),
    )


def _listed(texts: ByteStrings) -> Sequence[str]:
    return Lazy(
        len(texts), lambda index: text_of(texts[index]), lambda start, stop: [*map(text_of, texts.cut(start, stop))]
    )


def _weights(split: PackedSplit) -> Tensor | None:
    return None if split.weights is None else torch.from_numpy(split.weights.copy())
