"""`zoo.evaluation_pictures`: what an evaluation came to, for what shows pictures and no pages, such as TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zoo.records.directory import RunDirectory
from zoo.reports.details import MATRIX_CLASSES, mistakes_of
from zoo.reports.drawing import shade, shortened, shortened_number
from zoo.reports.evaluations import Evaluation, main_evaluation
from zoo.reports.metrics import confusion
from zoo.reports.pictures import image_of

if TYPE_CHECKING:
    from PIL import Image

_RIGHT, _WRONG, _INK = (37, 99, 201), (209, 72, 47), (29, 36, 51)
_CELL = 30  # pixels a side of the matrix's cells, where they are few enough to be numbered
_WIDE = 480  # pixels a side of a matrix of more, about
_COLUMNS = 6  # mistakes beside each other
_SHOWN = 96  # pixels a side that a mistake's longer one is brought to, about
_LINE = 12  # pixels a line of text
_LEGEND = "rows: what it is, columns: what it was called"


def evaluation_pictures(run: str | Path | Any) -> dict[str, Image.Image]:
    """Draw what a run's kept evaluation came to: of its test images, else of its validation images.

    Args:
        run: Its directory, or what `zoo.train` returned.

    Returns:
        Pictures of Pillow's by their names: ``confusion``, the matrix with the actual class in rows, and
        ``mistakes``, up to 24 of the worst, each over its label, its prediction and the confidence in that. What does
        not fit a picture is left out: a matrix of more than 480 classes, mistakes where there are none.

    Raises:
        UsageError: If there is no such run, or it keeps no evaluation.
        DamagedError: If a file of it is damaged.
    """
    kept = main_evaluation(RunDirectory.open(getattr(run, "directory", run)).path)
    drawn = {}
    if len(kept.classes) <= _WIDE:
        drawn["confusion"] = _matrix(kept)
    if mistakes := _mistakes(kept):
        drawn["mistakes"] = mistakes
    return drawn


def _matrix(kept: Evaluation) -> Image.Image:
    from PIL import Image

    counts = confusion(kept.outcomes.labels, kept.outcomes.predictions, len(kept.classes))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    right = np.eye(len(counts), dtype=bool)
    strength = np.vectorize(shade, otypes=[float])(shares, right)[..., None]
    colours = np.where(right[..., None], _RIGHT, _WRONG)
    cells = (255 - (255 - colours) * strength).round().astype(np.uint8)
    numbered = len(counts) <= MATRIX_CLASSES
    size = len(counts) * (_CELL if numbered else _WIDE // len(counts))
    drawn = Image.fromarray(cells).resize((size, size), Image.Resampling.NEAREST)
    return (_with_numbers(drawn, kept, counts, strength[..., 0]) if numbered else drawn).quantize(256)


def _with_numbers(
    cells: Image.Image, kept: Evaluation, counts: NDArray[Any], strength: NDArray[np.float64]
) -> Image.Image:
    """Return the matrix with its counts, the classes' names to its left and, upwards, above it."""
    from PIL import Image, ImageDraw

    names = [_plain(name) for name in kept.classes]
    margin = 10 + max(_width(name) for name in names)
    width = max(margin + cells.width, _width(_LEGEND) + 10)
    whole = Image.new("RGB", (width, margin + cells.height + _LINE + 6), "white")
    whole.paste(cells, (margin, margin))
    pen = ImageDraw.Draw(whole)
    pen.text((5, margin + cells.height + 3), _LEGEND, fill=_INK)
    for place, name in enumerate(names):
        along = margin + place * _CELL + (_CELL - _LINE) // 2
        pen.text((margin - 5 - _width(name), along), name, fill=_INK)
        upright = Image.new("RGB", (margin, _LINE), "white")
        ImageDraw.Draw(upright).text((5, 0), name, fill=_INK)
        whole.paste(upright.rotate(90, expand=True), (along, 0))
    for row, column in np.argwhere(counts).tolist():
        number = shortened_number(int(counts[row, column]))
        corner = (margin + column * _CELL + (_CELL - _width(number)) // 2, margin + row * _CELL + (_CELL - _LINE) // 2)
        pen.text(corner, number, fill="white" if strength[row, column] > 0.55 else _INK)
    return whole


def _mistakes(kept: Evaluation) -> Image.Image | None:
    from PIL import Image, ImageDraw

    told, pixels = mistakes_of(kept)
    if not told:
        return None
    _, height, width = pixels[0].shape
    share = _SHOWN / max(height, width)
    share = max(1, round(share)) if share > 1 else share  # small ones pixel by pixel
    size = (max(1, round(width * share)), max(1, round(height * share)))
    step = (max(size[0], _SHOWN) + 8, size[1] + 2 * _LINE + 10)
    columns = min(_COLUMNS, len(told))
    photos = len(pixels[0]) == 3
    sheet = Image.new("RGB" if photos else "L", (columns * step[0], -(-len(told) // columns) * step[1]), "white")
    pen = ImageDraw.Draw(sheet)
    for number, (mistake, shown) in enumerate(zip(told, pixels, strict=True)):
        left, top = number % columns * step[0] + 4, number // columns * step[1] + 4
        how = Image.Resampling.NEAREST if share >= 1 else Image.Resampling.LANCZOS
        sheet.paste(image_of(shown).resize(size, how), (left, top))
        called = f"called {_plain(mistake['prediction'])}, {mistake['confidence']:.0%}"
        for line, text in enumerate((_plain(mistake["label"]), called)):
            pen.text((left, top + size[1] + 2 + line * _LINE), text, fill="black")
    return sheet


def _plain(name: str) -> str:
    """Return a class's name with the letters that the font has."""
    return shortened(" ".join(name.split())).encode("latin-1", "replace").decode("latin-1")


def _width(text: str) -> int:
    from PIL import ImageFont

    return round(ImageFont.load_default().getlength(text))
