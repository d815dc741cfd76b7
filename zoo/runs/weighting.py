"""Class weights of a criterion, made from what the classes are called and how many images they have.

They are recorded as numbers, so that whoever measures the run again needs no training images for them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from zoo.errors import UnknownNameError, UsageError
from zoo.runs.components import Component, Components

WEIGHT = "weight"
BALANCED = "balanced"


def with_class_weights(components: Components, counts: Mapping[str, int]) -> Components:
    """Return *components* with the criterion's weights as one number a class, whichever way they were given.

    Args:
        components: Those of the run.
        counts: The training images of each class by its name, in the order of the logits.

    Raises:
        UsageError: If the weights are a word that is none, or a class has no image to be balanced by.
        UnknownNameError: If there is no class of a name that has a weight.
    """
    criterion = components["criterion"]
    if not is_open(criterion):
        return components
    weights = _numbers(criterion.options[WEIGHT], counts)
    options = {**criterion.options, WEIGHT: weights}
    choice = dataclasses.replace(criterion.choice, options={**criterion.choice.options, WEIGHT: weights})
    made = dataclasses.replace(criterion, choice=choice, options=options)
    return dataclasses.replace(components, single={**components.single, "criterion": made})


def is_open(criterion: Component) -> bool:
    """Whether the criterion's weights hang on the data: they are a word, or numbers by name."""
    return isinstance(criterion.options.get(WEIGHT), str | Mapping)


def _numbers(weight: Any, counts: Mapping[str, int]) -> Sequence[float]:
    if isinstance(weight, Mapping):
        if unknown := [name for name in weight if name not in counts]:
            raise UnknownNameError("class", unknown[0], counts, "criterion.weight has a number for it.")
        return [float(weight.get(name, 1.0)) for name in counts]
    if weight != BALANCED:
        raise UsageError(f"criterion.weight must be numbers, a table by class name, or {BALANCED!r}, not {weight!r}")
    if empty := [name for name, count in counts.items() if not count]:
        raise UsageError(f"criterion.weight=balanced needs a training image of each class, and {empty[0]!r} has none")
    total = sum(counts.values())
    return [total / (len(counts) * count) for count in counts.values()]
