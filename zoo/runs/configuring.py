"""What a run is asked to be, from a recipe, a file and further layers. It imports no torch."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path

from zoo.config import Config, Layer, read_toml
from zoo.errors import PluginError
from zoo.registry import registry


def configured(layers: Iterable[Layer], *, recipe: str | None = None, file: str | Path | None = None) -> Config:
    """Combine a recipe, a file and further layers, the strongest last.

    Raises:
        UsageError: If a key or a value is wrong, or there is no such file.
        PluginError: If the recipe's own file is damaged.
    """
    below = []
    if recipe is not None:
        below.append(_recipe_layer(recipe))
    if file is not None:
        below.append(Layer(str(file), read_toml(Path(file).expanduser())))
    return Config.from_layers([*below, *layers])


def _recipe_layer(name: str) -> Layer:
    entry = registry().find("recipes", name)
    try:
        return Layer(f"recipe {entry.full_name}", tomllib.loads(entry.read_text()))
    except tomllib.TOMLDecodeError as error:
        raise PluginError(f"{entry}: its file {entry.target!r} is not TOML: {error}") from error
