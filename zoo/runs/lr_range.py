"""`zoo.lr_range`: a learning-rate range test on a copy of what a run would begin with. Nothing is kept of it."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.optim import Optimizer

from zoo.config import Choice, Config
from zoo.errors import UsageError
from zoo.runs.api import requested
from zoo.runs.components import find_components
from zoo.runs.reporting import Reporter
from zoo.runs.training import build_parts
from zoo.runs.tuning import base_rate
from zoo.training.arithmetic import own_arithmetic
from zoo.training.dropout import dropout_masks
from zoo.training.lr_range import RangeTest, range_test
from zoo.training.randomness import random_state_kept
from zoo.training.world import ALONE

STEPS = 100


def lr_range(
    model: Any = None,
    *,
    lowest: float = 1e-7,
    highest: float = 1.0,
    options: Mapping[str, Any] | None = None,
    recipe: str | None = None,
    config: str | None = None,
    **settings: Any,
) -> RangeTest:
    """Train a copy for some steps while the rate rises, and return what the loss did.

    Args:
        model: As for `zoo.train`; a module that is given is copied.
        lowest: The first step's rate.
        highest: The last step's.
        options: As for `zoo.train`.
        recipe: As for `zoo.train`.
        config: As for `zoo.train`.
        **settings: As for `zoo.train`; ``steps`` is how many are taken, by default 100. Rate and scheduler are the
            test's own.

    Returns:
        ``rates`` and ``losses`` of each step, and a ``suggestion``.

    Raises:
        UsageError: If a name, an option or a value is wrong.
        ZooError: If the work fails.

    Source: Smith 2015, "Cyclical Learning Rates for Training Neural Networks".
    """
    if isinstance(settings.get("optimizer"), Optimizer):
        raise UsageError(
            "lr_range trains a copy, which an optimizer of another model's parameters cannot; give its name"
        )
    copied = copy.deepcopy(model) if isinstance(model, nn.Module) else model
    asked, objects = requested(copied, options, recipe, config, settings)
    return measured(asked, lowest, highest, objects)


def measured(config: Config, lowest: float, highest: float, objects: Mapping[str, Any] | None = None) -> RangeTest:
    """Build what a run of *config* would begin with, and test it; the process's random numbers stay what they were.

    Raises:
        UsageError: If the rates do not rise, there is no rate or no step to take, or a setting is wrong.
    """
    if not 0 < lowest < highest:
        raise UsageError(f"the rates must rise from above 0, not from {lowest:g} to {highest:g}")
    components = find_components(dataclasses.replace(config, scheduler=Choice("torch/constant", {})), objects)
    if base_rate(components["optimizer"]) is None:
        raise UsageError(f"{components['optimizer'].label} has no rate of its own to test; give --lr")
    train = dataclasses.replace(config.train, steps=config.train.steps or STEPS, ema=None, patience=None)
    plain = dataclasses.replace(components.resolved(config), train=train, observe=())
    with random_state_kept(), own_arithmetic():
        parts = build_parts(plain, components, Reporter(), ALONE, None, None, told=False)
        if not parts.task.steps:
            raise UsageError("--tune probe takes no steps, so there is no rate to find")
        with dropout_masks(parts.machine.dropout_masks):
            return range_test(parts.task, lowest, highest)
