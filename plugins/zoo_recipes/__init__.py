"""Recipes: whole configurations that reach a stated accuracy, as a plugin of zoo.

Each is a file that `zoo train --recipe` begins from; anything else that is given overrides it.
"""

from __future__ import annotations

import zoo

_SUMMARIES = {
    "mnist-fast": "99 % on MNIST in seconds, with a small net and a fixed number of steps.",
    "mnist-best": "The highest accuracy on MNIST within minutes, with a net of 0.4 million parameters.",
    "fashion-best": "The highest accuracy on Fashion-MNIST within minutes, with the same net.",
}


@zoo.hookimpl
def register(add: zoo.Add) -> None:
    """Register the recipes."""
    for name, summary in _SUMMARIES.items():
        add.recipe(name, f"zoo_recipes:{name}.toml", summary=summary)
