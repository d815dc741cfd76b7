"""The page of a comparison: as the page of a run, one file that asks nothing of anybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.errors import UsageError
from zoo.records.disk import write_atomic
from zoo.reports.conclusions import conclusions
from zoo.reports.drawing import Curve, chart
from zoo.reports.rendering import rendered

DRAWN = 8
"""Runs whose curves are drawn, which is as many as colours tell apart."""


def comparison_page(found: Mapping[str, Any]) -> str:
    """Return the page of what `zoo.reports.comparison.compare` found."""
    return rendered(
        "comparison.html",
        title=" or ".join(run["name"] for run in found["runs"][:3]),
        found=found,
        conclusions=conclusions(found),
        charts=_charts(found),
    )


def write_comparison(found: Mapping[str, Any], out: Path) -> Path:
    """Write the page of a comparison, and return its path.

    Raises:
        UsageError: If it cannot be written there.
    """
    try:
        write_atomic(out, comparison_page(found))
    except OSError as error:
        raise UsageError(f"cannot write {str(out)!r}: {error.strerror or error}") from error
    return out


def _charts(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    charts = []
    for title, key, percent in (("Validation accuracy", "val_accuracy", True), ("Training loss", "loss", False)):
        curves = [
            Curve(run["name"], f"run{place}", _padded([row.get(key) for row in epochs], found))
            for place, (run, epochs) in enumerate(zip(found["runs"], found["epochs"], strict=True))
        ][:DRAWN]
        if any(value is not None for curve in curves for value in curve.values):
            picture = chart(f"{title} by epoch", curves, None, percent=percent)
            charts.append({"title": title, "curves": curves, "picture": picture})
    return charts


def _padded(values: Sequence[float | None], found: Mapping[str, Any]) -> list[float | None]:
    longest = max(map(len, found["epochs"]))
    return [*values, *[None] * (longest - len(values))]
