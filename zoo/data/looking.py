"""Every image of a dataset looked at once: whether it can be read, its bytes, its size and what it looks like."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from zoo.data.dataset import Split
from zoo.data.encoded import EncodedImages, opened
from zoo.data.likeness import SEEN, Likenesses
from zoo.data.threads import for_each
from zoo.errors import DamagedError
from zoo.files.images import probe_opened, read_opened

DIGEST = 16
"""Bytes of a digest of an image's bytes, which tell any two apart."""

_AT_ONCE = 64


@dataclass(frozen=True)
class Looks:
    """What was seen of a split's images, N of them.

    Attributes:
        labels: int64 (N,).
        digests: Of each one's bytes, uint8 (N, 16): of its file, or of its pixels where it has none.
        sides: Height and width as stored, upright, int64 (N, 2); 0 where it cannot be read.
        faults: What cannot be read, by index.
        place: Says how an image is called, by its index.
    """

    labels: NDArray[np.int64]
    digests: NDArray[np.uint8]
    sides: NDArray[np.int64]
    faults: Mapping[int, DamagedError]
    place: Callable[[int], str] = field(repr=False)

    def __len__(self) -> int:
        return len(self.labels)


def look(split: Split, name: str, likenesses: Likenesses, first: int) -> Looks:
    """Look at every image of a split; what cannot be read is told, and no reason to stop.

    Args:
        split: The images.
        name: What messages call the split where its images have no names.
        likenesses: Where what they look like is kept.
        first: The first image's place there.
    """
    if isinstance(split, EncodedImages):
        return _look_at_files(split, likenesses, first)
    return _look_at_pixels(split, name, likenesses, first)


def digest_of(data: bytes | memoryview) -> bytes:
    """Return what tells an image's bytes from any others, in 16 bytes."""
    return hashlib.blake2b(data, digest_size=DIGEST).digest()


def _look_at_files(split: EncodedImages, likenesses: Likenesses, first: int) -> Looks:
    source, count = split.source, len(split)
    digests, sides = np.zeros((count, DIGEST), np.uint8), np.zeros((count, 2), np.int64)

    def see(index: int) -> None:
        place = source.place(index)
        with opened(source, index) as file:
            data = file.read()
        digests[index] = np.frombuffer(digest_of(data), np.uint8)
        header = probe_opened(io.BytesIO(data), place)
        small = read_opened(io.BytesIO(data), place, 1, (SEEN, SEEN))
        likenesses.put([first + index], small.unsqueeze(0))
        sides[index] = header.height, header.width

    faults = for_each(count, see, "looking at images")
    return Looks(split.labels.numpy(), digests, sides, faults, source.place)


def _look_at_pixels(split: Split, name: str, likenesses: Likenesses, first: int) -> Looks:
    count = len(split)
    digests, sides = np.zeros((count, DIGEST), np.uint8), np.zeros((count, 2), np.int64)
    for indices in torch.split(torch.arange(count), _AT_ONCE):
        images = split.batch(indices.to(split.labels.device))[0].cpu().contiguous()
        digests[indices] = [np.frombuffer(digest_of(image.numpy().data), np.uint8) for image in images]
        likenesses.put((indices + first).tolist(), images)
        sides[indices] = tuple(images.shape[2:])
    names: Sequence[str] | None = getattr(split, "names", None)

    def place(index: int) -> str:
        return f"{name}[{index}]" if names is None else names[index]

    return Looks(split.labels.cpu().numpy(), digests, sides, {}, place)
