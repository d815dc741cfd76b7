"""The multilayer perceptron and softmax regression, as a plugin of zoo."""

from __future__ import annotations

from typing import Any

import zoo


@zoo.hookimpl
def register(add: Any) -> None:
    """Register the models."""
    add.model(
        "mlp", "zoo_mlp.nets:mlp", summary="Fully connected layers with dropout and batch norm, widths as you like."
    )
    add.model("linear", "zoo_mlp.nets:linear", summary="Softmax regression: one linear layer over the pixels.")
