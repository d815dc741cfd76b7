"""timm's classifiers, optimizers and losses, each under timm's own name with ``timm/`` before it.

Importing timm takes seconds, so registering does not: the models' names are read from timm's source files.
"""

from __future__ import annotations

import zoo
from zoo_timm.names import CRITERIA, OPTIMIZERS, model_names


@zoo.hookimpl
def register(add: zoo.Add) -> None:
    """Register timm's models, optimizers and losses, by full name alone: others offer many of the same names."""
    for name, family in model_names().items():
        add.model(
            name,
            "zoo_timm.models:build",
            summary=f"timm's {name}, of its {family} family.",
            arguments={"architecture": name},
            short=False,
        )
    for name, (summary, lr) in OPTIMIZERS.items():
        add.optimizer(
            name,
            "zoo_timm.optimizers:build",
            summary=summary,
            arguments={"algorithm": name, "lr": lr},
            short=False,
        )
    for name, summary in CRITERIA.items():
        add.criterion(name, f"zoo_timm.criteria:{name}", summary=summary, short=False)
