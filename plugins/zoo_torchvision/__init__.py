"""torchvision's classifiers, by full name alone, and data sets that it offers, too.

Importing torchvision takes seconds, so registering does not: the models' names are read from its source files.
"""

from __future__ import annotations

import zoo
from zoo_torchvision.names import model_names

_DATASETS = {
    "fashion_mnist": "Fashion-MNIST: 28 x 28 grey images of ten kinds of clothes.",
    "kmnist": "Kuzushiji-MNIST: 28 x 28 grey images of ten cursive hiragana.",
    "cifar10": "CIFAR-10: 32 x 32 colour images of ten kinds of animals and vehicles.",
    "cifar100": "CIFAR-100: 32 x 32 colour images of a hundred kinds of things.",
}


@zoo.hookimpl
def register(add: zoo.Add) -> None:
    """Register torchvision's models, by full name alone, since timm offers many of the same names, and data sets."""
    for name, family in model_names().items():
        add.model(
            name,
            "zoo_torchvision.models:build",
            summary=f"torchvision's {name}, of its {family} family.",
            arguments={"architecture": name},
            short=False,
        )
    for name, summary in _DATASETS.items():
        add.dataset(name, f"zoo_torchvision.datasets:{name}", summary=summary)
