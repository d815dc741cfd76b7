"""Reading the embedded files."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

import zoo


class IdxFile(NamedTuple):
    """One embedded file: its name, the shape of its content, the SHA-256 of its bytes as they are stored."""

    name: str
    shape: tuple[int, ...]
    sha256: str


# The hashes are of the compressed bytes: those take 0.05 s, the content would take 0.23 s, and proves no more.
FILES: Sequence[IdxFile] = (
    IdxFile(
        "train-images-idx3-ubyte.gz",
        (60_000, 28, 28),
        "0b367032e93c5d0cea0925647cfdb18614af8ee15f83e6f2fc2ad904a6835971",
    ),
    IdxFile(
        "train-labels-idx1-ubyte.gz", (60_000,), "1787548bbe0bff1ec2ecdc0ef292b02df999e2d1a6002d27500982c652b17203"
    ),
    IdxFile(
        "t10k-images-idx3-ubyte.gz",
        (10_000, 28, 28),
        "1a1a05eab793c14bb050b398624a11b0ffd1a2953baed553b1b9bd079e2a20be",
    ),
    IdxFile("t10k-labels-idx1-ubyte.gz", (10_000,), "b91679a0acfe4ba0e50a2437a903084cba1f5f92592b016a25a7dfd00455798b"),
)
FOLDER = Path(__file__).parent
_CURE = "Reinstall torch-zoo: pip install --force-reinstall --no-deps torch-zoo"


def mnist() -> zoo.Dataset:
    """Read MNIST from the files in this package, checked against their SHA-256.

    Returns:
        60,000 training and 10,000 test images, uint8 (1, 28, 28), white ink (255) on black, of the digits 0 to 9.

    Raises:
        DamagedError: If one of the files is damaged or missing.

    Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits"; see LICENSE-MNIST.txt.
    """
    # Two threads, as hashing and decompressing release the interpreter: the small files cost no time beside the large.
    with ThreadPoolExecutor(2) as pool:
        train_images, train_labels, test_images, test_labels = pool.map(_read, FILES)
    return zoo.Dataset(
        train=zoo.TensorImages(train_images.unsqueeze(1), train_labels.to(torch.int64)),
        test=zoo.TensorImages(test_images.unsqueeze(1), test_labels.to(torch.int64)),
        classes=[str(digit) for digit in range(10)],
        mean=(0.1307,),
        std=(0.3081,),
    )


def _read(file: IdxFile) -> Tensor:
    path = FOLDER / file.name
    if not path.is_file():
        raise zoo.DamagedError(f"{str(path)!r} is missing from the installation. {_CURE}")
    return zoo.read_idx(path, shape=file.shape, sha256=file.sha256, cure=_CURE)
