"""Exported ONNX files, run without torch."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zoo.errors import DamagedError, UsageError
from zoo.files.fitting import PADDING, placement
from zoo.files.images import decoding, read_picture
from zoo.registry.entry import in_one_line
from zoo.reports.predictions import Prediction, Unread, prediction_of
from zoo.sharing.export_facts import KEY, ExportedFacts, facts_from_json

Pixels = NDArray[np.uint8]

_BATCH = 64
_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By EXIF orientation, what makes an image upright."""


class ExportedFile:
    """A model in an ONNX file that ``zoo export`` wrote.

    Args:
        path: The file.

    Raises:
        UsageError: If there is no such file, it is no export, or onnxruntime is not installed.
        DamagedError: If it cannot be run.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise UsageError(f"there is no file {str(path)!r}; 'zoo export RUN' writes one")
        try:
            import onnxruntime
        except ImportError as error:
            raise UsageError(f"{str(path)!r} is run by onnxruntime: pip install 'torch-zoo[onnx]' ({error})") from error
        settings = onnxruntime.SessionOptions()
        settings.log_severity_level = 3
        try:
            self._session: Any = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise DamagedError(f"{str(path)!r} cannot be run: {in_one_line(error)}") from error
        self.path = path
        self.facts: ExportedFacts = facts_from_json(
            self._session.get_modelmeta().custom_metadata_map.get(KEY), repr(str(path))
        )

    def __call__(self, images: Pixels) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Map images, uint8 (N, C, H, W), to logits and probabilities, float32 (N, K).

        Raises:
            DamagedError: If the file does not give such.
        """
        try:
            logits, probabilities = self._session.run(["logits", "probabilities"], {"images": images})
        except Exception as error:
            raise DamagedError(f"{str(self.path)!r} cannot be run: {in_one_line(error)}") from error
        if logits.shape != (len(images), len(self.facts.classes)) or probabilities.shape != logits.shape:
            raise DamagedError(
                f"{str(self.path)!r} gives {logits.shape} for {len(images)} images, not one logit a class"
            )
        return logits, probabilities


def file_outcomes(
    file: ExportedFile, paths: Sequence[Path], *, top_k: int = 1, threshold: float = 0.0
) -> Iterator[Prediction | Unread]:
    """Yield what becomes of each image, in order.

    Args:
        file: The model.
        paths: The images' files.
        top_k: How many classes to tell of.
        threshold: The least probability with which an image is said to be of a class.

    Raises:
        UsageError: If *top_k* is more than there are classes.
        DamagedError: If the model's file cannot be run.
    """
    if top_k > len(file.facts.classes):
        raise UsageError(f"top_k must be from 1 to {len(file.facts.classes)}, the number of classes, not {top_k}")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(paths), _BATCH):
            part = paths[start : start + _BATCH]
            pixels = list(pool.map(lambda path: _read(path, file.facts), part))
            whole = [each for each in pixels if not isinstance(each, Unread)]
            answers = iter(_likeliest(file, np.stack(whole), top_k) if whole else ())
            for path, each in zip(part, pixels, strict=True):
                yield each if isinstance(each, Unread) else prediction_of(str(path), *next(answers), threshold)


def _read(path: Path, facts: ExportedFacts) -> Pixels | Unread:
    try:
        return pixels_of(path, facts)
    except (DamagedError, UsageError) as error:
        return Unread(str(path), error)


def pixels_of(path: Path, facts: ExportedFacts) -> Pixels:
    """Read an image as the model's dataset stores its images, by Pillow alone.

    An image that has the size already gives the bits that `zoo.read_image` gives; a resized one may be off by 1 of 255.

    Returns:
        uint8 (C, H, W).

    Raises:
        UsageError: If there is no such file.
        DamagedError: If it is damaged, or no image that zoo reads.
    """
    picture = read_picture(path, facts.image_size)
    with decoding(str(path)):
        flat = picture.flat.convert("L" if facts.channels == 1 else "RGB")
        if picture.orientation in _TURNS:
            flat = flat.transpose(_TURNS[picture.orientation])
        fitted = np.asarray(_fitted(flat, facts))
    return fitted[None] if facts.channels == 1 else np.ascontiguousarray(fitted.transpose(2, 0, 1))


def _fitted(flat: Image.Image, facts: ExportedFacts) -> Image.Image:
    """Return an upright image in the model's size: stretched, padded or cropped."""
    height, width = facts.image_size
    if flat.size == (width, height):
        return flat
    place = placement((flat.height, flat.width), facts.image_size, facts.fit)
    (rows, columns), (inner_height, inner_width) = place.part, place.inner
    part = flat.crop((place.left, place.top, place.left + columns, place.top + rows))
    resized = part.resize((inner_width, inner_height), _FILTERS[facts.interpolation])
    if place.inner == facts.image_size:
        return resized
    whole = Image.new(flat.mode, (width, height), PADDING if flat.mode == "L" else (PADDING,) * 3)
    whole.paste(resized, (place.column, place.row))
    return whole


def _likeliest(file: ExportedFile, images: Pixels, top_k: int) -> list[tuple[tuple[str, ...], tuple[float, ...]]]:
    """Return each image's likeliest labels and their probabilities."""
    _, probabilities = file(images)
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top_k]
    return [
        (tuple(file.facts.classes[k] for k in likely), tuple(row[likely].tolist()))
        for row, likely in zip(probabilities, order, strict=True)
    ]
