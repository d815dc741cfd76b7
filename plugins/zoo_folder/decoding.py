"""Looking at many image files, and decoding them, in several threads."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

import zoo

CURE = "Remove it, or begin its name with a dot."

_AT_ONCE = 8  # images that a thread takes before it reports, and before it sees an interruption


def probe(paths: Sequence[Path]) -> list[tuple[int, int, int]]:
    """Return each image's (C, H, W), from their headers.

    Raises:
        DamagedFilesError: If some are no images.
    """
    found: list[tuple[int, int, int]] = [(0, 0, 0)] * len(paths)

    def look(index: int) -> None:
        header = zoo.probe_image(paths[index])
        found[index] = (header.channels, header.height, header.width)

    _for_each(paths, look, "looking at images")
    return found


def decode(paths: Sequence[Path], channels: int, size: tuple[int, int]) -> Tensor:
    """Return the images as uint8 (N, C, H, W), resized to *size*, (H, W).

    Raises:
        DamagedFilesError: If some are damaged.
    """
    images = torch.empty((len(paths), channels, *size), dtype=torch.uint8)

    def read(index: int) -> None:
        images[index] = zoo.read_image(paths[index], channels=channels, size=size)

    _for_each(paths, read, "decoding images")
    return images


def every_damage(paths: Sequence[Path], found: zoo.DamagedFilesError) -> zoo.DamagedFilesError:
    """Return what is wrong with any of the images, so that they can be mended in one go.

    Args:
        paths: All images of the dataset. They are decoded, whichever were before: it is the end of the command.
        found: What one stage came upon: headers alone, or one split.
    """

    def read(index: int) -> None:
        zoo.read_image(paths[index], channels=1, size=(8, 8))

    try:
        _for_each(paths, read, "looking for damaged images")
    except zoo.DamagedFilesError as error:
        return zoo.DamagedFilesError({**error.faults, **found.faults}, CURE)
    return found


def statistics(images: Tensor) -> tuple[list[float], list[float]]:
    """Return each channel's mean and standard deviation, exact, where white is 1; a constant channel's deviation is 1.

    Args:
        images: uint8 (N, C, H, W).
    """
    values = torch.arange(256, dtype=torch.float64) / 255
    means, deviations = [], []
    for channel in range(images.shape[1]):
        counts = torch.zeros(256, dtype=torch.float64)
        # Counted a part at a time, as a channel of all images is not one piece of memory and would be copied whole.
        for start in range(0, len(images), 1024):
            counts += torch.bincount(images[start : start + 1024, channel].flatten(), minlength=256)
        share = counts / images[:, channel].numel()
        mean = float(share @ values)
        means.append(mean)
        deviations.append(float(share @ (values - mean) ** 2) ** 0.5 or 1.0)
    return means, deviations


def _for_each(paths: Sequence[Path], work: Callable[[int], None], title: str) -> None:
    """Call *work* with every index, in threads: Pillow decodes and resizes outside the interpreter's lock."""
    faults: dict[str, zoo.ZooError] = {}

    def take(indices: range) -> int:
        for index in indices:
            try:
                work(index)
            except (zoo.DamagedError, zoo.UsageError) as error:
                faults[str(paths[index])] = error
        return len(indices)

    parts = [range(i, min(i + _AT_ONCE, len(paths))) for i in range(0, len(paths), _AT_ONCE)]
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        with zoo.ProgressBar(title, len(paths), sys.stderr) as bar:
            for count in pool.map(take, parts):
                bar.advance(count)
    finally:
        # On an interruption the images that wait are given up, not decoded first.
        pool.shutdown(cancel_futures=True)
    if faults:
        raise zoo.DamagedFilesError({name: faults[name] for name in map(str, paths) if name in faults}, CURE)
