"""timm's classifiers, optimizers and losses, each under timm's own name with ``timm/`` before it.

Importing timm takes seconds, so registering does not: the models' names are read from timm's source files.
"""

from __future__ import annotations

import zoo
from zoo_timm.names import model_names
from zoo_timm.optimizer_names import OPTIMIZERS

_CRITERIA = {
    "label_smoothing_cross_entropy": "Cross-entropy with label smoothing, timm's.",
    "soft_target_cross_entropy": "Cross-entropy against soft targets, timm's.",
    "binary_cross_entropy": "Binary cross-entropy, one decision a class, with smoothing or a threshold, timm's.",
    "asymmetric_loss_single_label": "Asymmetric focal loss over a softmax, timm's.",
    "asymmetric_loss_multi_label": "Asymmetric focal loss, one decision a class, timm's.",
    "poly_cross_entropy": "Poly-1 cross-entropy, timm's.",
    "poly_binary_cross_entropy": "Poly-1 binary cross-entropy, one decision a class, timm's.",
    "zlpr_loss": "Ranking loss with 0 as its threshold, timm's ZLPR.",
}
"""Left out of timm.loss: JsdCrossEntropy needs augmented copies of each image, DistributionBalancedLoss the classes'
counts, and TwoWayLoss is no mean over samples."""


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
    for name, (summary, lr, weight_decay) in OPTIMIZERS.items():
        add.optimizer(
            name,
            "zoo_timm.optimizers:build",
            summary=summary,
            arguments={"algorithm": name, "lr": lr, "weight_decay": weight_decay},
            short=False,
        )
    for name, summary in _CRITERIA.items():
        add.criterion(name, f"zoo_timm.criteria:{name}", summary=summary, short=False)
