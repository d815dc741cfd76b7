"""What a comparison says in words: which question a test answers, and its answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

ALPHA = 0.05
"""Probabilities from here on tell nothing apart."""


def conclusions(found: Mapping[str, Any]) -> list[str]:
    """Return what the tests say, a sentence or two each, with the question that they answer."""
    if not found["same_images"]:
        measured = f"The runs were measured on different {found['split']} images (by digest)"
        return [f"{measured}: their accuracies are not comparable, and nothing is tested."]
    lines = [_group_line(found, group) for group in found["groups"] if len(group["runs"]) > 1]
    lines += [_model_line(found, pair) for pair in found["models"]]
    lines += [_recipe_line(found, pair) for pair in found["recipes"]]
    if not found["models"] and not found["recipes"] and len(found["groups"]) > 1:
        lines.append(
            "To compare recipes, each needs two seeds or more; to compare trained models, give one run of each."
        )
    return lines


def _group_line(found: Mapping[str, Any], group: Mapping[str, Any]) -> str:
    seeds = f"{len(group['seeds'])} seeds"
    low, high = group["interval"]
    mean = f"mean {_percent(group['mean'])}, 95 % interval {100 * low:.2f} to {100 * high:.2f} %"
    return f"The recipe of {_first(found, group)}, {seeds}: {mean}."


def _model_line(found: Mapping[str, Any], pair: Mapping[str, Any]) -> str:
    first, second = (found["runs"][pair[key]] for key in ("first", "second"))
    return (
        f"Trained models on the same {first['samples']:,} images: {second['name']} less {first['name']} is "
        f"{_points(pair['difference'])}, 95 % interval {_between(pair['interval'])}; "
        f"{pair['second_only']:,} images only {second['name']} got right, {pair['first_only']:,} only {first['name']}. "
        f"McNemar's exact {_verdict(pair, found['models'])}"
    )


def _recipe_line(found: Mapping[str, Any], pair: Mapping[str, Any]) -> str:
    first, second = (_first(found, found["groups"][pair[key]]) for key in ("first", "second"))
    return (
        f"Recipes over seeds: that of {second} less that of {first} is {_points(pair['difference'])}, 95 % interval "
        f"{_between(pair['interval'])} over other seeds, "
        f"{_between(pair['bootstrap'])} over other seeds and images. "
        f"{pair['test'].capitalize()}, {_verdict(pair, found['recipes'])}"
    )


def _verdict(pair: Mapping[str, Any], pairs: Sequence[Any]) -> str:
    adjusted = f", {pair['adjusted_p']:.3g} adjusted for {len(pairs)} comparisons" if len(pairs) > 1 else ""
    apart = "the difference is unlikely to be chance" if pair["adjusted_p"] < ALPHA else "they are not told apart"
    return f"p = {pair['p']:.3g}{adjusted}: {apart}."


def _first(found: Mapping[str, Any], group: Mapping[str, Any]) -> str:
    return str(found["runs"][group["runs"][0]]["name"])


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _points(share: float) -> str:
    return f"{100 * share:+.2f} %"


def _between(interval: Sequence[float]) -> str:
    return f"{_points(interval[0])} to {_points(interval[1])}"
