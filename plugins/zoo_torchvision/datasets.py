"""Data sets that torchvision offers, too: read where they are, else downloaded; no file of them is ever unpickled."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import zoo
from zoo_torchvision.sources import (
    CIFAR10,
    CIFAR100,
    FASHION_MNIST,
    KMNIST,
    CifarSource,
    IdxFile,
    IdxSource,
    RecordFile,
)

_CURE = "Delete it, and it is downloaded again."
_PIXELS = 3 * 32 * 32


def fashion_mnist(*, root: str | None = None) -> zoo.Dataset:
    """Read Fashion-MNIST: 60,000 training and 10,000 test images, 1 x 28 x 28, of ten kinds of clothes.

    Args:
        root: A folder with the four IDX files, as published (.gz) or decompressed, in it, in ``raw`` or in
            ``FashionMNIST/raw``, where torchvision leaves them. What is missing is downloaded to it. If left out:
            ``$ZOO_DATA/fashion_mnist``, else ``~/.cache/zoo/fashion_mnist``.

    Raises:
        DamagedError: If a file is damaged.
        ZooError: If a file is missing and cannot be downloaded.

    Source: Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747.
    """
    return read_idx_source(FASHION_MNIST, root)


def kmnist(*, root: str | None = None) -> zoo.Dataset:
    """Read Kuzushiji-MNIST: 60,000 training and 10,000 test images, 1 x 28 x 28, of ten cursive hiragana.

    Args:
        root: As for `fashion_mnist`; torchvision's folder is ``KMNIST/raw``.

    Raises:
        DamagedError: If a file is damaged.
        ZooError: If a file is missing and cannot be downloaded.

    Source: Clanuwat et al. 2018, arXiv:1812.01718.
    """
    return read_idx_source(KMNIST, root)


def cifar10(*, root: str | None = None) -> zoo.Dataset:
    """Read CIFAR-10: 50,000 training and 10,000 test images, 3 x 32 x 32, of ten classes.

    Args:
        root: A folder with ``cifar-10-binary.tar.gz`` or the six ``.bin`` files, or ``cifar-10-batches-bin`` with them;
            else the archive is downloaded to it. If left out: ``$ZOO_DATA/cifar10``, else ``~/.cache/zoo/cifar10``.
            torchvision's ``cifar-10-batches-py`` is of no use, since its files are pickles.

    Raises:
        DamagedError: If a file is damaged.
        ZooError: If it is missing and cannot be downloaded.

    Source: Krizhevsky 2009, "Learning multiple layers of features from tiny images".
    """
    return read_cifar_source(CIFAR10, root)


def cifar100(*, root: str | None = None) -> zoo.Dataset:
    """Read CIFAR-100 with its 100 fine classes: 50,000 training and 10,000 test images, 3 x 32 x 32.

    Args:
        root: As for `cifar10`, with ``cifar-100-binary.tar.gz``, ``train.bin`` and ``test.bin``.

    Raises:
        DamagedError: If a file is damaged.
        ZooError: If it is missing and cannot be downloaded.

    Source: Krizhevsky 2009, "Learning multiple layers of features from tiny images".
    """
    return read_cifar_source(CIFAR100, root)


def read_idx_source(source: IdxSource, root: str | None) -> zoo.Dataset:
    """Read a set of four IDX files from *root*, downloading those that are missing.

    Every file is checked: a published ``.gz`` by its published SHA-256; another packer's, as Debian's, and a
    decompressed one by the SHA-256 of their content where that is known, and else by its shape and labels alone.

    Args:
        source: What is published where.
        root: Where the files are or are to be; the data folder if left out.
    """
    folder = _root(root, source.name)
    with ThreadPoolExecutor(2) as pool:
        tensors = list(pool.map(lambda file: _read_idx(source, file, folder), source.files))
    train_images, train_labels, test_images, test_labels = tensors
    return zoo.Dataset(
        train=_split(source, train_images.unsqueeze(1), train_labels, folder),
        test=_split(source, test_images.unsqueeze(1), test_labels, folder),
        classes=source.classes,
        mean=source.mean,
        std=source.std,
    )


def read_cifar_source(source: CifarSource, root: str | None) -> zoo.Dataset:
    """Read one of the CIFAR sets from its binary files, each checked by its SHA-256.

    Args:
        source: What is published where.
        root: Where the files or the archive are or are to be; the data folder if left out.
    """
    folder = _cifar_folder(source, _root(root, source.name))
    files = [*source.train, *source.test]
    with ThreadPoolExecutor(2) as pool:
        parts = list(pool.map(lambda file: _read_records(source, file, folder), files))
    return zoo.Dataset(
        train=_joined(source, parts[: len(source.train)], folder),
        test=_joined(source, parts[len(source.train) :], folder),
        classes=source.classes,
        mean=source.mean,
        std=source.std,
    )


def _root(root: str | None, name: str) -> Path:
    return zoo.data_folder(name) if root is None else Path(root).expanduser()


def _split(source: IdxSource | CifarSource, images: Tensor, labels: Tensor, folder: Path) -> zoo.TensorImages:
    if int(labels.max()) >= len(source.classes):
        raise zoo.DamagedError(
            f"{str(folder)!r} holds the label {int(labels.max())}, and {source.name} has {len(source.classes)} classes"
        )
    return zoo.TensorImages(images, labels.to(torch.int64))


def _read_idx(source: IdxSource, file: IdxFile, folder: Path) -> Tensor:
    for place in (folder, folder / "raw", folder / source.folder):
        for name in (file.name, file.name.removesuffix(".gz")):
            if (place / name).is_file():
                return _read_present(file, place / name)
    path = zoo.download(source.url + file.name, folder / file.name, sha256=file.sha256, max_bytes=file.size)
    return zoo.read_idx(path, shape=file.shape, cure=_CURE)


def _read_present(file: IdxFile, path: Path) -> Tensor:
    with path.open("rb") as stream:
        published = hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256
    if published:
        return zoo.read_idx(path, shape=file.shape, cure=_CURE)
    if path.name == file.name and file.content_sha256 is None:
        raise zoo.DamagedError(f"{str(path)!r} is damaged or another file: its SHA-256 is not {file.sha256}. {_CURE}")
    images = zoo.read_idx(path, shape=file.shape, cure=_CURE)
    if file.content_sha256 not in (None, _content_sha256(images)):
        raise zoo.DamagedError(
            f"{str(path)!r} is damaged or another file: its content's SHA-256 is not {file.content_sha256}. {_CURE}"
        )
    return images


def _content_sha256(values: Tensor) -> str:
    """Return the SHA-256 of the IDX file, decompressed, that these values came from; its header follows from them."""
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return hashlib.sha256(bytes([0, 0, 8, values.ndim]) + sizes + values.numpy().tobytes()).hexdigest()


def _cifar_folder(source: CifarSource, root: Path) -> Path:
    """Return the folder that holds all of the set's files, unpacking and downloading the archive if need be."""
    archive = root / source.url.rpartition("/")[2]
    unpacked = root / f"{archive.name.removesuffix('.tar.gz')}.unpacked"
    for folder in (root, root / source.folder, unpacked / source.folder):
        if _is_complete(source, folder):
            return folder
    if unpacked.exists():
        raise zoo.DamagedError(f"{str(unpacked)!r} lacks files of {source.name}. Delete it, and it is unpacked again.")
    zoo.download(source.url, archive, sha256=source.sha256, max_bytes=source.size)
    try:
        zoo.unpack(archive, unpacked, max_bytes=2 * source.size, max_members=32)
    except zoo.ZooError:
        # Another process, training with another seed perhaps, may have been quicker.
        if not _is_complete(source, unpacked / source.folder):
            raise
    return unpacked / source.folder


def _is_complete(source: CifarSource, folder: Path) -> bool:
    return all((folder / file.name).is_file() for file in (*source.train, *source.test))


def _read_records(source: CifarSource, file: RecordFile, folder: Path) -> tuple[Tensor, Tensor]:
    """Return a file's images, uint8 (N, 3, 32, 32), and its labels, uint8 (N,)."""
    path = folder / file.name
    with path.open("rb") as stream:
        data = stream.read(file.records * (source.labels + _PIXELS) + 1)
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise zoo.DamagedError(f"{str(path)!r} is damaged: its SHA-256 is not {file.sha256}. {_CURE}")
    records = np.frombuffer(data, dtype=np.uint8).reshape(file.records, source.labels + _PIXELS)
    images = torch.from_numpy(records[:, source.labels :].copy()).view(-1, 3, 32, 32)
    return images, torch.from_numpy(records[:, source.labels - 1].copy())


def _joined(source: CifarSource, parts: Sequence[tuple[Tensor, Tensor]], folder: Path) -> zoo.TensorImages:
    images, labels = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    return _split(source, images, labels, folder)
