"""The picture of a learning-rate range test: losses over rates, as an SVG file of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from markupsafe import Markup

from zoo.reports.drawing import nice_ticks, tag

_WIDTH, _HEIGHT = 640, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 20, 20, 50

_STYLE = """
svg { background: #fff; font: 13px sans-serif; fill: #333; }
line { stroke: #ddd; } line.chosen { stroke: #c33; stroke-dasharray: 4 3; } text.chosen { fill: #c33; }
circle { fill: #9bc; } polyline { fill: none; stroke: #236; stroke-width: 2; }
"""


def rate_picture(rates: Sequence[float], losses: Sequence[float], smoothed: Sequence[float], suggestion: float) -> str:
    """Return the SVG text: each step's loss as a dot, the smoothed ones as a line, the suggestion marked.

    Args:
        rates: Rising, above 0; drawn on a logarithmic axis.
        losses: One a rate. Those far above the smoothed ones lie outside the picture.
        smoothed: One a rate.
        suggestion: A rate, marked by a line if it lies within the axis.
    """
    ticks = nice_ticks(min(losses), max(smoothed))
    powers = range(math.floor(math.log10(rates[0])), math.ceil(math.log10(rates[-1])) + 1)
    first, last = powers[0], max(powers[-1], powers[0] + 1)

    def x(rate: float) -> float:
        return round(_LEFT + (math.log10(rate) - first) / (last - first) * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(loss: float) -> float:
        share = (loss - ticks[0]) / (ticks[-1] - ticks[0])
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)

    parts = [tag("style", _STYLE)]
    for tick in ticks:
        parts.append(tag("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y(tick), y2=y(tick)))
        parts.append(tag("text", f"{tick:.3g}", x=_LEFT - 8, y=y(tick) + 4, text_anchor="end"))
    for power in powers:
        parts.append(tag("text", f"1e{power}", x=x(10.0**power), y=_HEIGHT - _BOTTOM + 20, text_anchor="middle"))
    parts.append(tag("text", "learning rate", x=(_LEFT + _WIDTH) / 2, y=_HEIGHT - 8, text_anchor="middle"))
    parts.append(tag("text", "loss", x=_LEFT + 4, y=_TOP - 6))
    for rate, loss in zip(rates, losses, strict=True):
        if loss <= ticks[-1]:
            parts.append(tag("circle", tag("title", f"{rate:.2e}: {loss:.4g}"), cx=x(rate), cy=y(loss), r=2.5))
    points = " ".join(f"{x(rate):g},{y(loss):g}" for rate, loss in zip(rates, smoothed, strict=True))
    parts.append(tag("polyline", points=points))
    if first <= math.log10(suggestion) <= last:
        parts += _marked(x(suggestion), f"{suggestion:.2g}")
    drawn = tag("svg", *parts, xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {_WIDTH} {_HEIGHT}", role="img")
    return f"{drawn}\n"


def _marked(x: float, told: str) -> Iterator[Markup]:
    yield tag("line", class_="chosen", x1=x, x2=x, y1=_TOP, y2=_HEIGHT - _BOTTOM)
    yield tag("text", told, class_="chosen", x=x + 5, y=_TOP + 12)
