"""Pictures of numbers as inline SVG: curves, a matrix, bars and reliability. Colours are the page's classes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

WIDTH, HEIGHT = 340, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 10, 12, 28


@dataclass(frozen=True)
class Curve:
    """A line of a chart.

    Attributes:
        name: As the legend tells it.
        kind: Its class in the page's style: ``"train"``, ``"validation"`` or ``"rate"``.
        values: One an epoch; None where there is none.
    """

    name: str
    kind: str
    values: Sequence[float | None]


def tag(name: str, *content: str, **attributes: object) -> Markup:
    """Return an element; its content and attributes are escaped, unless they are elements themselves.

    Args:
        name: Such as ``"rect"``.
        content: Texts and elements within it.
        attributes: A trailing underscore, as in ``class_``, is dropped; other underscores are hyphens.
    """
    # Escaped one by one: Markup's own format and join take seven times as long, and a page has thousands of these.
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(f"{value:g}" if isinstance(value, float) else value)}"'
        for key, value in attributes.items()
    )
    return Markup(f"<{name}{told}>{''.join(map(escape, content))}</{name}>")  # noqa: S704


def _svg(title: str, width: float, height: float, parts: Sequence[Markup]) -> Markup:
    return tag("svg", *parts, role="img", viewBox=f"0 0 {width:g} {height:g}", aria_label=title)


def chart(title: str, curves: Sequence[Curve], best: int | None, *, percent: bool = False) -> Markup:
    """Draw curves over the epochs.

    Args:
        title: What a reader who sees no picture is told.
        curves: All of one length.
        best: The epoch to mark, counted from 1.
        percent: Whether the values are shares, shown as percentages.
    """
    known = [value for curve in curves for value in curve.values if value is not None and math.isfinite(value)]
    count = max(len(curve.values) for curve in curves)
    ticks = nice_ticks(min(known, default=0.0), max(known, default=1.0))
    across = _Scale(1, max(count, 2), _LEFT + 8, WIDTH - _RIGHT)
    up = _Scale(ticks[0], ticks[-1], HEIGHT - _BOTTOM, _TOP)
    parts = [*_grid(ticks, up, percent), *_epochs(count, across)]
    if best is not None:
        parts += _marked(best, across, to_the_left=best > count / 2)
    for curve in curves:
        parts += _line(curve, across, up, percent)
    return _svg(title, WIDTH, HEIGHT, parts)


_ALIKE = 1e-12
_NOTHING = 1e-300


def nice_ticks(low: float, high: float, wanted: int = 4) -> list[float]:
    """Return round numbers around *low* and *high*, about *wanted* steps apart, at least two."""
    size = max(abs(low), abs(high))
    if high - low <= size * _ALIKE or size < _NOTHING:  # between such numbers there are no steps to count
        pad = size * 0.1 if size >= _NOTHING else 1.0
        low, high = low - pad, high + pad
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [place * step for place in range(first, max(last, first + 1) + 1)]


@dataclass(frozen=True)
class _Scale:
    """Maps *low* to the pixel *start*, and *high* to *stop*."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.stop - self.start), 1)


def _grid(ticks: Sequence[float], up: _Scale, percent: bool) -> Iterator[Markup]:
    for tick in ticks:
        y = up(tick)
        yield tag("line", class_="grid", x1=_LEFT, x2=WIDTH - _RIGHT, y1=y, y2=y)
        yield tag("text", _label(tick, ticks, percent), x=_LEFT - 6, y=y + 4, text_anchor="end")


def _marked(best: int, across: _Scale, *, to_the_left: bool) -> Iterator[Markup]:
    x = across(best)
    yield tag("line", class_="best", x1=x, x2=x, y1=_TOP, y2=HEIGHT - _BOTTOM)
    anchor = "end" if to_the_left else "start"
    yield tag(
        "text", f"best: {best}", class_="best", x=x - 5 if to_the_left else x + 5, y=_TOP + 10, text_anchor=anchor
    )


def _label(tick: float, ticks: Sequence[float], percent: bool) -> str:
    """Return a tick with just the digits that tell it from its neighbours."""
    factor = 100 if percent else 1
    step = (ticks[1] - ticks[0]) * factor
    if not percent and step < 1e-3:
        return f"{tick:.1e}" if tick else "0"
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    digits += abs(step * 10**digits - round(step * 10**digits)) > 1e-6
    return f"{tick * factor:.{digits}f}" + (" %" if percent else "")


def _epochs(count: int, across: _Scale) -> Iterator[Markup]:
    every = max(1, math.ceil(count / 8))
    for epoch in range(1, count + 1, every):
        yield tag("text", str(epoch), x=across(epoch), y=HEIGHT - _BOTTOM + 16, text_anchor="middle")


def _line(curve: Curve, across: _Scale, up: _Scale, percent: bool) -> Iterator[Markup]:
    points = [(epoch, value) for epoch, value in enumerate(curve.values, start=1) if value is not None]
    points = [(epoch, value) for epoch, value in points if math.isfinite(value)]
    path = " ".join(f"{across(epoch):g},{up(value):g}" for epoch, value in points)
    yield tag("polyline", class_=curve.kind, points=path)
    radius = 3.0 if len(points) <= 40 else 1.5
    for epoch, value in points:
        told = tag("title", f"epoch {epoch}: {curve.name} {_exact(value, percent)}")
        yield tag("circle", told, class_=curve.kind, cx=across(epoch), cy=up(value), r=radius)


def _exact(value: float, percent: bool) -> str:
    return f"{100 * value:.2f} %" if percent else f"{value:.4g}"


@dataclass(frozen=True)
class Point:
    """A point of a scatter.

    Attributes:
        value: Where it is across: a number, a text or a truth value.
        height: Where it is up, a number.
        name: What it is, for whoever points at it.
        chosen: Whether it is marked.
    """

    value: Any
    height: float
    name: str
    chosen: bool = False


def scatter(title: str, points: Sequence[Point], *, logarithmic: bool, percent: bool) -> Markup:
    """Draw points, numbers along a scale and anything else side by side.

    Args:
        title: What a reader who sees no picture is told.
        points: At least one.
        logarithmic: Whether equal factors are equally far apart; then all numbers are above 0.
        percent: Whether the heights are shares, shown as percentages.
    """
    heights = [point.height for point in points if math.isfinite(point.height)]
    ticks = nice_ticks(min(heights, default=0.0), max(heights, default=1.0))
    up = _Scale(ticks[0], ticks[-1], HEIGHT - _BOTTOM, _TOP)
    place, marks = _across([point.value for point in points], logarithmic)
    parts = list(_grid(ticks, up, percent))
    parts += [tag("text", text, x=x, y=HEIGHT - _BOTTOM + 16, text_anchor="middle") for x, text in marks]
    for point in sorted(points, key=lambda point: point.chosen):  # the marked one above the others
        if math.isfinite(point.height):
            told = tag("title", f"{point.name}: {point.value}, {_exact(point.height, percent)}")
            kind, radius = ("chosen", 5.5) if point.chosen else ("validation", 4.0)
            parts.append(tag("circle", told, class_=kind, cx=place(point.value), cy=up(point.height), r=radius))
    return _svg(title, WIDTH, HEIGHT, parts)


def _by_number(text: str) -> tuple[bool, float, str]:
    """Return a key that puts numbers in their order, and before other texts."""
    try:
        return False, float(text), text
    except ValueError:
        return True, 0.0, text


def _across(values: Sequence[Any], logarithmic: bool) -> tuple[Callable[[Any], float], list[tuple[float, str]]]:
    """Return where a value is, and the places with their labels."""
    start, stop = _LEFT + 14, WIDTH - _RIGHT - 14
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
        names = sorted({str(value) for value in values}, key=_by_number)
        side_by_side = _Scale(-0.5, len(names) - 0.5, _LEFT, WIDTH - _RIGHT)
        return lambda value: side_by_side(names.index(str(value))), [
            (side_by_side(number), shortened(name, max(3, 40 // len(names)))) for number, name in enumerate(names)
        ]
    low, high = min(values), max(values)
    if low == high:
        return lambda _: (start + stop) / 2, [((start + stop) / 2, f"{low:.4g}")]
    if logarithmic:
        scale = _Scale(math.log(low), math.log(high), start, stop)
        shown = [low, math.sqrt(low * high), high]
        return lambda value: scale(math.log(value)), [(scale(math.log(each)), f"{each:.2g}") for each in shown]
    scale = _Scale(low, high, start, stop)
    return scale, [(scale(each), f"{each:.4g}") for each in (low, (low + high) / 2, high)]


_CELL = 34
_LETTER = 7.2  # pixels, of the widest fonts


def matrix(classes: Sequence[str], counts: Sequence[Sequence[int]]) -> Markup:
    """Draw a confusion matrix, the actual class in rows; the shades are shares of a row, of mistakes four times so."""
    margin = 14 + round(_LETTER * max(len(shortened(name)) for name in classes))
    parts = []
    for place, (name, numbers) in enumerate(zip(classes, counts, strict=True)):
        along = margin + place * _CELL + 21
        parts.append(tag("text", shortened(name), x=margin - 6, y=along, text_anchor="end"))
        parts.append(tag("text", shortened(name), transform=f"translate({along} {margin - 6}) rotate(-90)"))
        for column, number in enumerate(numbers):
            told = f"{name} called {classes[column]}: {number:,} of {sum(numbers):,}"
            corner = (margin + column * _CELL, margin + place * _CELL)
            parts += _matrix_cell(corner, number, sum(numbers), told, right=place == column)
    size = margin + _CELL * len(classes) + 4
    return _svg("Confusion matrix, the actual class in rows", size, size, parts)


def shade(share: float, right: bool) -> float:
    """Return how strong the colour is of a cell of a confusion matrix that has a *share* of its row, both in [0, 1]."""
    return 0.0 if not share else share if right else min(1.0, 0.15 + 4 * share)


def _matrix_cell(corner: tuple[int, int], number: int, total: int, told: str, *, right: bool) -> Iterator[Markup]:
    x, y = corner
    share = number / total if total else 0.0
    strength = shade(share, right)
    yield tag(
        "rect",
        tag("title", told),
        class_="right" if right else "wrong",
        x=x,
        y=y,
        width=_CELL - 1,
        height=_CELL - 1,
        fill_opacity=round(strength, 3),
    )
    if number:
        kind = "count strong" if strength > 0.55 else "count"
        yield tag("text", shortened_number(number), class_=kind, x=x + _CELL / 2, y=y + 21, text_anchor="middle")


def shortened(name: str, length: int = 12) -> str:
    """Return a class's name as it fits beside a matrix."""
    return name if len(name) <= length else f"{name[: length - 1]}…"


def shortened_number(number: int) -> str:
    """Return a count as it fits a cell of a matrix."""
    return str(number) if number < 10_000 else f"{number / 1000:.0f}k"


def interval_bar(value: float, low: float, high: float) -> Markup:
    """Draw a share in [0, 1] as a bar with its interval as a line; it is stretched to the width that it has."""
    start, width = round(100 * low, 2), max(0.6, round(100 * (high - low), 2))
    return tag(
        "svg",
        tag("rect", class_="track", width=100, height=10),
        tag("rect", class_="fill", width=round(100 * value, 2), height=10),
        tag("rect", class_="interval", x=start, y=4, width=width, height=2),
        class_="bar",
        viewBox="0 0 100 10",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


_SIDE, _AXIS = 200, 54  # to the axis's left are its name and its numbers, side by side


def reliability_diagram(
    title: str, confidence: Sequence[float], accuracy: Sequence[float], counts: Sequence[int]
) -> Markup:
    """Draw accuracy over confidence, with the diagonal on which an honest confidence lies.

    Args:
        title: What a reader who sees no picture is told.
        confidence: The mean of each bin, in [0, 1].
        accuracy: The share of it that is right.
        counts: Its images: the area of its circle.
    """
    parts = [*_unit_grid(), tag("line", class_="diagonal", x1=_AXIS, y1=_SIDE + 10, x2=_AXIS + _SIDE, y2=10)]
    for sure, right, count in zip(confidence, accuracy, counts, strict=True):
        told = f"{count:,} images with confidence {100 * sure:.1f} %: {100 * right:.1f} % are right"
        x, y = round(_AXIS + _SIDE * sure, 1), round(10 + _SIDE * (1 - right), 1)
        radius = round(3 + 7 * math.sqrt(count / sum(counts)), 1)
        parts.append(tag("circle", tag("title", told), class_="validation", cx=x, cy=y, r=radius))
    return _svg(title, _AXIS + _SIDE + 24, _SIDE + 52, parts)


def _unit_grid() -> Iterator[Markup]:
    for tick in (0, 0.5, 1):
        y, x = 10 + _SIDE * (1 - tick), _AXIS + _SIDE * tick
        yield tag("line", class_="grid", x1=_AXIS, x2=_AXIS + _SIDE, y1=y, y2=y)
        yield tag("text", f"{100 * tick:g} %", x=_AXIS - 5, y=y + 4, text_anchor="end")
        yield tag("text", f"{100 * tick:g} %", x=x, y=_SIDE + 26, text_anchor="middle")
    yield tag("text", "confidence", x=_AXIS + _SIDE / 2, y=_SIDE + 44, text_anchor="middle")
    yield tag("text", "accuracy", transform=f"translate(12 {10 + _SIDE / 2:g}) rotate(-90)", text_anchor="middle")
