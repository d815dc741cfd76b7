"""How a whole picture becomes an input of another shape: stretched, padded or cropped."""

from __future__ import annotations

from typing import NamedTuple

FITS = ("stretch", "pad", "crop")
"""The ways that there are."""

PADDING = 128
"""The grey of what is padded, where white is 255."""

Size = tuple[int, int]


class Box(NamedTuple):
    """A part of an input, as shares of its height and width, all in [0, 1].

    Attributes:
        top: Where it begins.
        left: Where it begins.
        height: How much of the height it takes, above 0.
        width: How much of the width.
    """

    top: float
    left: float
    height: float
    width: float


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


def narrowed(place: Placement, size: Size, box: Box) -> Placement | None:
    """Return how a part of an input is enlarged to the whole, from the picture and not from the input.

    Args:
        place: How the whole picture is laid into the input.
        size: The input's (H, W).
        box: The part. What is picture in it is taken from whole pixels of the picture, its edges rounded to them.

    Returns:
        The placement; None where the box lies beside the picture.
    """
    rows = _along(place.top, place.part[0], place.row, place.inner[0], size[0], box.top, box.height)
    columns = _along(place.left, place.part[1], place.column, place.inner[1], size[1], box.left, box.width)
    if rows is None or columns is None:
        return None
    (top, height, row, inner_rows), (left, width, column, inner_columns) = rows, columns
    return Placement(top, left, (height, width), (inner_rows, inner_columns), row, column)


def _along(
    start: int, length: int, place: int, inner: int, side: int, begin: float, share: float
) -> tuple[int, int, int, int] | None:
    """Return, along one side, where the picture's part begins, its length, where it lies in the input and how long.

    Args:
        start: Where the part of the picture begins that the whole input shows.
        length: Its length.
        place: Where it lies in the input.
        inner: Its length there.
        side: The input's.
        begin: Where the box begins, as a share of the input.
        share: Its length, likewise.
    """
    low, high = begin * side, (begin + share) * side
    first, last = max(low, place), min(high, place + inner)
    target, stop = round((first - low) / share), min(side, round((last - low) / share))
    if stop <= target:
        return None
    beginning = min(round((first - place) * length / inner), length - 1)
    end = max(round((last - place) * length / inner), beginning + 1)
    return start + beginning, end - beginning, target, stop - target


def _within(shape: Size, bounds: Size) -> Size:
    """Return the largest (H, W) of the aspect of *shape* within *bounds*, each side at least a pixel."""
    (height, width), (most_rows, most_columns) = shape, bounds
    if height * most_columns >= width * most_rows:
        return most_rows, max(1, min(most_columns, round(width * most_rows / height)))
    return max(1, min(most_rows, round(height * most_columns / width))), most_columns


def _centred(inner: Size, outer: Size) -> Size:
    return (outer[0] - inner[0]) // 2, (outer[1] - inner[1]) // 2
