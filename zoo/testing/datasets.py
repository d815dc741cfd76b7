"""What a dataset must be."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

import zoo
from zoo.data import Split, is_streamed, read_batches
from zoo.data.changes import changes
from zoo.data.identity import SPLITS, Identification
from zoo.registry import Entry
from zoo.testing.building import dataset, plain
from zoo.testing.outcome import ContractError, warn

_IN_MEMORY, _READ = 100_000, 2_000  # images of a split that are compared at most
_SHARED = 0.01  # the share of test images that may be training images before the splits count as mixed up
_STREAMED = 64  # images of a split that streams that are read in several threads


def check_images(entry: Entry) -> str:
    """Give uint8 images of one shape, for indices in any order, from both splits."""
    data = dataset(entry)
    shapes = set()
    for name, split in _splits(data):
        some = torch.tensor([len(split) - 1, 0, len(split) // 2, 0])
        images, labels = split.batch(some)
        shapes.add(tuple(images.shape[1:]))
        if images.dtype != torch.uint8 or images.ndim != 4 or len(images) != 4:
            raise ContractError(
                entry,
                expected=f"uint8 images (4, C, H, W) from {name}.batch of 4 indices",
                seen=f"{images.dtype} {tuple(images.shape)}",
                mend="Return bytes, not floats: zoo scales and normalises on the device.",
            )
        alone = [split.batch(index.view(1)) for index in some]
        if not (
            torch.equal(images, torch.cat([image for image, _ in alone]))
            and torch.equal(labels, torch.cat([label for _, label in alone]))
        ):
            raise ContractError(
                entry,
                expected=f"from {name}.batch the images at the indices, in their order, repeats among them",
                seen="others than when each is asked for by itself",
                mend="Index with the given tensor as it is; random changes are an augmentation's task.",
            )
    if len(shapes) > 1:
        raise ContractError(
            entry,
            expected="images of one shape in both splits",
            seen=" and ".join(map(str, sorted(shapes))),
            mend="Resize and convert them all alike.",
        )
    return f"{len(data.train):,} train, {len(data.test):,} test, {' x '.join(map(str, shapes.pop()))}"


def check_labels(entry: Entry) -> str:
    """Have one label for each image, the same wherever it is asked for."""
    data = dataset(entry)
    count = data.num_classes
    if not all(isinstance(name, str) for name in data.classes):
        raise ContractError(
            entry,
            expected="names of classes as texts",
            seen=repr(list(data.classes))[:200],
            mend="Convert them with str.",
        )
    for name, split in _splits(data):
        labels = split.labels
        if labels.dtype != torch.int64 or tuple(labels.shape) != (len(split),):
            raise ContractError(
                entry,
                expected=f"{name}.labels int64 ({len(split)},)",
                seen=f"{labels.dtype} {tuple(labels.shape)}",
                mend="Convert with .long() and drop extra dimensions.",
            )
        some = torch.arange(min(len(split), 256))
        if not torch.equal(split.batch(some)[1], labels[some].to(split.batch(some)[1].device)):
            raise ContractError(
                entry,
                expected=f"from {name}.batch the labels that {name}.labels has",
                seen="others",
                mend="Read both from one place.",
            )
        if len(missing := set(range(count)) - set(labels.tolist())):
            warn(f"{entry}: {name} has no image of {len(missing)} of the {count} classes.")
    return f"{count} classes"


def check_disjoint(entry: Entry) -> str:
    """Keep the test images out of the training images."""
    data = dataset(entry)
    train, test = _digests(data.train), _digests(data.test)
    shared = sum(digest in train for digest in test)
    if shared > max(1, _SHARED * len(test)):
        raise ContractError(
            entry,
            expected="splits that have no image in common",
            seen=f"{shared} of {len(test)} test images among the training images",
            mend="Cut the images into two parts before anything else; never test on what was trained on.",
        )
    if shared:
        warn(f"{entry}: {shared} of {len(test)} test images are training images, too.")
    return f"{len(test):,} test images compared with {len(train):,} training images"


def check_known_again(entry: Entry) -> str:
    """Be the same data whenever it is built, since a run goes on with the images that it began with."""
    data = dataset(entry)
    for name, split in _splits(data):
        for what in ("names", "sizes"):
            values = getattr(split, what, None)
            if values is not None and len(values) != len(split):
                raise ContractError(
                    entry,
                    expected=f"{len(split)} {name}.{what}, one for each image",
                    seen=f"{len(values)}",
                    mend=f"Give each image its own, or none: {what} = None.",
                )
    first, again = Identification(data), Identification(plain(entry))
    known = first.of(*SPLITS)
    if differing := changes(known, again.of(*SPLITS), lambda: first.listings, again.listings):
        raise ContractError(
            entry,
            expected="the same data when it is built again",
            seen="; ".join(differing)[:200],
            mend="Sort what a file system lists, and draw from a generator with a fixed seed.",
        )
    return f"by {known.splits['train'].known_by}"


def check_streaming(entry: Entry) -> str:
    """Read the same images in several threads at once as in one, where they are read when they are asked for."""
    streamed = [(name, split) for name, split in _splits(dataset(entry)) if is_streamed(split)]
    for name, split in streamed:
        order = torch.randperm(len(split), generator=torch.Generator().manual_seed(0))[:_STREAMED]
        alone = [split.batch(index.view(1)) for index in order]
        read = list(read_batches(split, torch.split(order, 8), readers=4))
        if not all(
            torch.equal(torch.cat(one), torch.cat(other))
            for one, other in zip(zip(*alone, strict=True), zip(*read, strict=True), strict=True)
        ):
            raise ContractError(
                entry,
                expected=f"from {name}.read_into in four threads at once the images that {name}.batch gives",
                seen="others",
                mend="Share no file position or buffer between calls: open or map the file for each.",
            )
    return ", ".join(name for name, _ in streamed) or "all in memory"


def _splits(data: zoo.Dataset) -> list[tuple[str, Split]]:
    splits = ("train", data.train), ("test", data.test), ("validation", data.validation)
    return [(name, split) for name, split in splits if split is not None]


def _digests(split: Split) -> set[bytes]:
    most = _IN_MEMORY if isinstance(split, zoo.TensorImages) else _READ
    indices = torch.linspace(0, len(split) - 1, min(len(split), most), dtype=torch.float64).long()
    return {_digest(image) for part in torch.split(indices, 500) for image in split.batch(part)[0]}


def _digest(image: Tensor) -> bytes:
    return hashlib.blake2b(image.cpu().contiguous().numpy().tobytes(), digest_size=16).digest()


CHECKS = {
    "gives images of one shape, by their indices": check_images,
    "has labels in the range of its classes": check_labels,
    "keeps its splits apart": check_disjoint,
    "is known again when it is built again": check_known_again,
    "reads the same images in several threads": check_streaming,
}
