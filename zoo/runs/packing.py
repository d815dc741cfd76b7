"""`zoo.pack`: a dataset shrunk once and written into one file that trains several times as fast."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from zoo.data import Dataset, EncodedImages, Split, is_streamed, reader_count
from zoo.data.dataset import weights_of
from zoo.data.encoded import opened
from zoo.data.findings import named_splits
from zoo.data.packed import ENCODED, MARGIN, PIXELS
from zoo.errors import DamagedError, DamagedFilesError, UsageError
from zoo.files.images import probe_opened, read_opened
from zoo.files.pack_file import PackWriter
from zoo.progress_bar import ProgressBar
from zoo.runs.datasets import dataset_named

QUALITY = 90
"""Of the JPEGs."""

_AT_ONCE = 64


def pack(
    data: str,
    file: str | Path,
    *,
    options: Mapping[str, Any] | None = None,
    size: int | None = None,
    raw: bool = False,
    quality: int = QUALITY,
) -> dict[str, Any]:
    """Write a dataset into one file, its pictures shrunk to what training needs; ``--data packed`` trains on it.

    Pictures that are larger than 1.15 times the size become JPEGs of that; the others stay as they are, byte for byte.
    The file gets its name when all of it was read back and is what was written.

    Args:
        data: A dataset's name, or a folder of images.
        file: The file to write; it must not exist.
        options: The dataset's, such as ``{"data.root": "labels.csv"}``.
        size: The side in pixels for which they are packed; if left out, ``data.size``, or what the dataset chooses.
        raw: Whether to keep the pixels themselves, in just that size: larger, faster still, with the bits of the files.
        quality: Of the JPEGs, from 1 to 100.

    Returns:
        ``file``, ``bytes``, ``data``, ``splits``, the number of images of each, ``shape``, [C, H, W], and ``kept``, how
        many pictures stayed as they were.

    Raises:
        UsageError: If there is no such dataset, it has no files that could be shrunk, or the file exists.
        DamagedFilesError: If images cannot be read: all of them are named, and nothing is written.
    """
    if not 1 <= quality <= 100:
        raise UsageError(f"quality must be from 1 to 100, not {quality!r}")
    given = {**({} if size is None else {"data.size": size}), **(options or {})}
    component = dataset_named(data, given)
    dataset: Dataset = component.build(split_by="auto")
    encode = _pixels if raw else _Shrinking(quality)
    parts = {part: getattr(dataset, part) for part in named_splits(dataset)}
    if not raw and not all(isinstance(split, EncodedImages) for split in parts.values()):
        raise UsageError(f"{component.label} has no encoded images that could be shrunk; --raw keeps its pixels")
    path = Path(file).expanduser()
    with PackWriter(path) as writer:
        faults: dict[str, DamagedError] = {}
        kept = 0
        for part, split in parts.items():
            groups = dataset.groups if part == "train" else None
            kept += _write(writer, part, split, groups, encode, faults)
        if faults:
            raise DamagedFilesError(faults, _cure(parts["train"]))
        facts = dataset.facts
        shape = [facts.in_channels, *facts.image_size]
        kind = PIXELS if raw else ENCODED
        writer.finish(
            {
                "kind": kind,
                "classes": list(facts.classes),
                "shape": shape,
                "fit": facts.fit,
                "divisible": dataset.divisible,
            }
        )
    counts = {part: len(split) for part, split in parts.items()}
    return {
        "file": str(path),
        "bytes": path.stat().st_size,
        "data": component.choice.name,
        "splits": counts,
        "shape": shape,
        "kept": kept,
    }


Encode = Callable[[Split, int], tuple[bytes, bool]]


class _Shrinking:
    """Encodes the images of a split as JPEGs a little larger than they are wanted, unless they are small already.

    Args:
        quality: Of the JPEGs.
    """

    def __init__(self, quality: int) -> None:
        self._quality = quality

    def __call__(self, split: Split, index: int) -> tuple[bytes, bool]:
        """Return an image's bytes, and whether they are those of its file."""
        assert isinstance(split, EncodedImages)  # noqa: S101 - for the type checker: `pack` has seen to it
        place = split.source.place(index)
        with opened(split.source, index) as file:
            data = file.read()
        header = probe_opened(io.BytesIO(data), place)
        scale = MARGIN * max(split.size[0] / header.height, split.size[1] / header.width)
        if scale >= 1:
            read_opened(io.BytesIO(data), place, split.channels, split.size)  # a damaged one is told now
            return data, True
        size = round(scale * header.height), round(scale * header.width)
        pixels = read_opened(io.BytesIO(data), place, split.channels, size).permute(1, 2, 0).numpy()
        shrunk = io.BytesIO()
        picture = Image.fromarray(pixels[:, :, 0] if split.channels == 1 else pixels)
        picture.save(shrunk, "JPEG", quality=self._quality)
        return shrunk.getvalue(), False


def _pixels(split: Split, index: int) -> tuple[bytes, bool]:
    """Return an image's pixels, row by row, a pixel's channels one behind the other."""
    image = split.batch(torch.tensor([index], device=split.labels.device))[0][0]
    return image.permute(1, 2, 0).contiguous().cpu().numpy().tobytes(), False


def _write(
    writer: PackWriter,
    part: str,
    split: Split,
    groups: Sequence[str] | None,
    encode: Encode,
    faults: dict[str, DamagedError],
) -> int:
    """Write a split's images in their order; return how many are kept as they were, and add what cannot be read."""
    names, weights, labels = getattr(split, "names", None), weights_of(split), split.labels.tolist()
    kept = 0
    with ProgressBar(f"packing {part} images", len(split), sys.stderr) as bar:
        for index, result in enumerate(_encoded(split, encode)):
            bar.advance(1)
            if isinstance(result, DamagedError):
                faults[split.source.place(index) if isinstance(split, EncodedImages) else f"{part}[{index}]"] = result
            elif not faults:
                data, same = result
                kept += same
                name = str(index) if names is None else names[index]
                weight = None if weights is None else float(weights[index])
                writer.add(part, name, labels[index], data, weight, None if groups is None else groups[index])
    return kept


def _encoded(split: Split, encode: Encode) -> Iterator[tuple[bytes, bool] | DamagedError]:
    """Yield what becomes of each image, in their order, made by threads where it is read from files."""

    def attempt(index: int) -> tuple[bytes, bool] | DamagedError:
        try:
            return encode(split, index)
        except DamagedError as error:
            return error

    pool = ThreadPoolExecutor(reader_count() if is_streamed(split) else 1, "zoo-packer")
    try:
        for start in range(0, len(split), _AT_ONCE):
            yield from pool.map(attempt, range(start, min(start + _AT_ONCE, len(split))))
    finally:
        pool.shutdown(cancel_futures=True)


def _cure(split: Split) -> str:
    return split.source.cure if isinstance(split, EncodedImages) else ""
