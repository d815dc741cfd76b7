"""The page of a run: one HTML file that asks nothing of anybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from zoo.reports.drawing import Curve, chart, interval_bar, matrix, reliability_diagram
from zoo.reports.pictures import picture_of
from zoo.reports.rendering import rendered
from zoo.reports.story import Story

SHOWN_CLASSES = 100
"""Classes in the page's table, the weakest; report.json has all."""


def run_page(story: Story, *, brief: bool = False) -> str:
    """Return the page of a run.

    Args:
        story: What is to be told.
        brief: The accuracy, the curves and the matrix alone, as a notebook shows them.
    """
    document = story.document
    return rendered(
        "run.html",
        title=f"{document['name']} · zoo",
        story=document,
        brief=brief,
        facts=_facts(document),
        charts=_charts(document),
        reliability=_reliability(document["calibration"]),
        **details_shown(story, (document["details_of"] or "").rpartition("-")[0], brief=brief),
    )


def details_shown(story: Story, split: str, *, brief: bool) -> dict[str, Any]:
    """Return what details.html shows of an evaluation: the matrix, the classes and the mistakes.

    Args:
        story: What is told.
        split: What the images are called.
        brief: The matrix alone.
    """
    document = story.document
    return {
        "split": split,
        "matrix": matrix(**document["matrix"]) if document["matrix"] else None,
        "classes": [{**row, "bar": _bar(row)} for row in document["classes"][:SHOWN_CLASSES]],
        "hidden_classes": max(0, len(document["classes"]) - SHOWN_CLASSES),
        "mistakes": _mistakes(story) if not brief else [],
    }


def _facts(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what stands beside the accuracy."""
    summary, found = document["summary"], []
    if (accuracy := summary.get("val_accuracy")) is not None:
        found.append(("validation accuracy", f"{100 * accuracy:.2f} %"))
    if (best := summary.get("best_epoch")) is not None:
        found.append(("best epoch", f"{best} of {len(document['epochs'])}"))
    if refitted := summary.get("refitted"):
        found.append(("head fitted once more", f"to all {refitted:,} images"))
    if (error := document["metrics"].get("balanced_accuracy")) is not None:
        found.append(("balanced accuracy", f"{100 * error:.2f} %"))
    if (top5 := document["metrics"].get("top5_accuracy")) is not None:
        found.append(("top-5 accuracy", f"{100 * top5:.2f} %"))
    if (parameters := summary.get("parameters")) is not None:
        found.append(("parameters", f"{parameters:,}"))
    if (train := summary.get("train")) is not None:
        found.append(("training images", f"{train:,}"))
    if seconds := summary.get("seconds"):
        found.append(("time", clock(seconds)))
    if rate := summary.get("samples_per_second"):
        found.append(("images a second", f"{rate:,.0f}"))
    return found


def clock(seconds: float) -> str:
    """Return a duration as one reads it: 12 s, 3 min 5 s, 2 h 10 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _charts(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    epochs, best = document["epochs"], document["summary"].get("best_epoch")
    wanted = (
        ("Loss", (("training", "train", "loss"), ("validation", "validation", "val_loss")), False),
        ("Accuracy", (("validation", "validation", "val_accuracy"),), True),
        ("Learning rate", (("rate", "rate", "lr"),), False),
    )
    found = []
    for title, curves, percent in wanted:
        drawn = [Curve(name, kind, [row.get(key) for row in epochs]) for name, kind, key in curves]
        drawn = [curve for curve in drawn if any(value is not None for value in curve.values)]
        if drawn:
            picture = chart(f"{title} by epoch", drawn, best, percent=percent)
            found.append({"title": title, "curves": drawn, "picture": picture})
    return found


def _bar(row: Mapping[str, Any]) -> Markup:
    interval = row["recall_interval"]
    return interval_bar(row["recall"], *interval) if interval else Markup("")


def _mistakes(story: Story) -> list[dict[str, Any]]:
    told: Sequence[Mapping[str, Any]] = story.document["mistakes"]
    found = [
        {**each, "picture": picture_of(pixels), "heat": None} for each, pixels in zip(told, story.pixels, strict=True)
    ]
    if len(story.heat):
        from zoo.reports.explanations import heated

        for each, pixels, heat in zip(found, story.pixels, story.heat, strict=True):
            each["heat"] = picture_of(heated(pixels, heat))
    return found


def _reliability(calibration: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    if calibration is None:
        return []
    before, after = calibration["before"], calibration["after"]
    chance = (
        f"{100 * calibration['by_chance']:.2f} % would be by chance" if calibration["by_chance"] is not None else ""
    )
    shown = [("As the model says", before, chance)]
    if after is not None:
        note = "found on the validation images; zoo calibrate keeps it"
        shown.append((f"With temperature {calibration['temperature']:.3f}", after, note))
    return [
        {
            "title": title,
            "error": found["error"],
            "note": note,
            "picture": reliability_diagram(title, found["confidence"], found["accuracy"], found["counts"]),
        }
        for title, found, note in shown
    ]
