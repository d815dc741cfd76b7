"""The page of a sweep: as the page of a run, one file that asks nothing of anybody."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from zoo.reports.comparison_page import DRAWN
from zoo.reports.drawing import Curve, Point, chart, interval_bar, scatter
from zoo.reports.page import clock, details_shown
from zoo.reports.rendering import rendered
from zoo.reports.story import Story

_LEAST_TO_DRAW = 2  # points of a panel


def sweep_page(story: Story) -> str:
    """Return the page of a sweep."""
    document = story.document
    return rendered(
        "sweep.html",
        title=f"{document['name']} · zoo",
        story=document,
        brief=False,
        facts=_facts(document),
        panels=_panels(document),
        charts=_charts(document),
        keys=sorted({key for run in document["runs"] for key in run["settings"]}),
        runs=_ranked(document),
        **details_shown(story, "out-of-fold", brief=False),
    )


def _facts(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    runs, question = document["runs"], document["question"]
    done = sum(run["status"] == "finished" for run in runs)
    found = [("runs finished", f"{done} of {len(runs)}")]
    if searcher := question.get("searcher"):
        found.append(("searcher", searcher["name"]))
    if pruner := question.get("pruner"):
        pruned = sum(run["status"] == "pruned" for run in runs)
        found.append(("pruner", f"{pruner['name']}, which ended {pruned} of {len(runs)} trials"))
    for key, name in (("val_accuracy", "validation accuracy"), ("test_accuracy", "test accuracy")):
        if mean := document["means"].get(key):
            spread = f" ± {100 * mean['deviation']:.2f}" if mean["deviation"] is not None else ""
            found.append((f"{name}, mean ± deviation" if spread else name, f"{100 * mean['value']:.2f}{spread} %"))
    if seconds := sum(run["seconds"] or 0.0 for run in runs):
        found.append(("time of all runs", clock(seconds)))
    return found


def _panels(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a picture for each searched setting: every trial's value, and how good it was."""
    scored = [run for run in document["runs"] if run["score"] is not None]
    if len(scored) < _LEAST_TO_DRAW:
        return []
    return [
        {
            **each,
            "bar": None
            if each["explained"] is None
            else interval_bar(each["explained"], each["explained"], each["explained"]),
            "picture": _panel(each, scored, document),
        }
        for each in document["settings"]
    ]


def _panel(setting: Mapping[str, Any], runs: list[Mapping[str, Any]], document: Mapping[str, Any]) -> str:
    by_loss, is_list = document["select"] == "loss", setting["space"].startswith("[")
    points = [
        Point(
            _text(run["settings"][setting["key"]]) if is_list else run["settings"][setting["key"]],
            -run["score"] if by_loss else run["score"],
            run["name"],
            chosen=run["name"] == document["best"],
        )
        for run in runs
    ]
    what = "Validation loss" if by_loss else "Validation accuracy"
    logarithmic = setting["space"].startswith("log")
    return scatter(f"{what} by {setting['key']}", points, logarithmic=logarithmic, percent=not by_loss)


def _charts(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    shown = [run for run in _ranked(document) if any(value is not None for value in run["curve"])][:DRAWN]
    if not shown:
        return []
    longest = max(len(run["curve"]) for run in shown)
    curves = [
        Curve(run["name"], f"run{place}", [*run["curve"], *[None] * (longest - len(run["curve"]))])
        for place, run in enumerate(shown)
    ]
    title = "Validation accuracy" if document["kind"] != "search" else f"Validation accuracy of the best {len(shown)}"
    return [{"title": title, "curves": curves, "picture": chart(f"{title} by epoch", curves, None, percent=True)}]


def _ranked(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the runs as they are shown: of a search the best first, else in their order."""
    runs = [{**run, "shown": {key: _text(value) for key, value in run["settings"].items()}} for run in document["runs"]]
    if document["kind"] != "search":
        return runs
    return sorted(runs, key=lambda run: (run["score"] is None, -(run["score"] or 0.0)))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
