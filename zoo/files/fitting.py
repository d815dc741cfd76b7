"""How a whole picture becomes an input of another shape: stretched, padded or cropped."""

from __future__ import annotations

from typing import NamedTuple

FITS = ("stretch", "pad", "crop")
"""The ways that there are."""

PADDING = 128
"""The grey of what is padded, where white is 255."""

Size = tuple[int, int]


class Placement(NamedTuple):
    """Which part of a picture is resized to what, and where that lies in the input.

    Attributes:
        top: The part's first row in the picture.
        left: Its first column.
        part: Its (H, W).
        inner: (H, W) to which the part is resized.
        row: Where the resized part's first row lies in the input.
        column: Where its first column lies.
    """

    top: int
    left: int
    part: Size
    inner: Size
    row: int
    column: int


def placement(whole: Size, size: Size, fit: str) -> Placement:
    """Return how a picture is laid into an input.

    Args:
        whole: The picture's (H, W), upright.
        size: The input's (H, W).
        fit: ``"stretch"``: all of it, whatever its aspect. ``"pad"``: all of it in its own aspect, grey beside it.
            ``"crop"``: the largest part from its middle that has the input's aspect.
    """
    if fit == "crop":
        part, inner = _within(size, whole), size
    elif fit == "pad":
        part, inner = whole, _within(whole, size)
    else:
        part, inner = whole, size
    (top, left), (row, column) = _centred(part, whole), _centred(inner, size)
    return Placement(top, left, part, inner, row, column)


def _within(shape: Size, bounds: Size) -> Size:
    """Return the largest (H, W) of the aspect of *shape* within *bounds*, each side at least a pixel."""
    (height, width), (most_rows, most_columns) = shape, bounds
    if height * most_columns >= width * most_rows:
        return most_rows, max(1, min(most_columns, round(width * most_rows / height)))
    return max(1, min(most_rows, round(height * most_columns / width))), most_columns


def _centred(inner: Size, outer: Size) -> Size:
    return (outer[0] - inner[0]) // 2, (outer[1] - inner[1]) // 2
