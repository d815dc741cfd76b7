"""Recipes: whole configurations that reach a stated accuracy, as a plugin of zoo.

Each is a file that `zoo train --recipe` begins from; anything else that is given overrides it.
"""

from __future__ import annotations

import zoo

_SUMMARIES = {
    "mnist-fast": "99 % on MNIST in seconds, with a small net and a fixed number of steps.",
    "mnist-best": "The highest accuracy on MNIST within minutes, with a net of 0.5 million parameters.",
    "mlp-best": "What a perceptron reaches on MNIST, with 20 passes and each digit moved by a pixel.",
    "few": "Some hundred small images learnt from nothing, with many passes; give --data.",
    "probe": "Pretrained weights, the head alone fitted to your images in seconds; give --model and --data.",
    "finetune-small": "Pretrained weights tuned to some hundred photographs; give --model and --data.",
    "finetune": "Pretrained weights tuned to some thousand photographs; give --model and --data.",
    "finetune-large": "Pretrained weights tuned to a hundred thousand photographs and more; give --model and --data.",
    "fashion-best": "The highest accuracy on Fashion-MNIST within minutes, with a net of 1.1 million parameters.",
}


@zoo.hookimpl
def register(add: zoo.Add) -> None:
    """Register the recipes."""
    for name, summary in _SUMMARIES.items():
        add.recipe(name, f"zoo_recipes:{name}.toml", summary=summary)
