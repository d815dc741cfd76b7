"""Test-time augmentation by name: the registered augmentations that show a model several views of an image."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch

from zoo.config import Choice
from zoo.data import ImageFacts
from zoo.errors import PluginError, UsageError
from zoo.registry.entry import in_one_line
from zoo.runs.components import Component, find_component
from zoo.runs.network import Network
from zoo.runs.sources import Trained
from zoo.runs.task import build_augmentations
from zoo.training.views import Viewed, Views


def viewed(loaded: Trained, names: str | Sequence[str]) -> Trained:
    """Return a trained model that looks at the views of these augmentations, built with their default options.

    Args:
        loaded: The model.
        names: Of registered augmentations, applied one after the other, also as one text with commas; none for the
            model as it is.

    Raises:
        UsageError: If one of them is not known, is named twice, or has no views.
        PluginError: If a plugin's views are none.
    """
    texts = names.split(",") if isinstance(names, str) else names
    if not (names := [name.strip() for name in texts if name.strip()]):
        return loaded
    parts = [find_component("augment", Choice(name)) for name in names]
    full = tuple(part.choice.name for part in parts)
    if len(set(full)) < len(full):
        raise UsageError(f"--tta names an augmentation twice: {', '.join(full)}")
    network = loaded.network
    views = [_views(part, network, loaded.images) for part in parts]
    network = dataclasses.replace(network, forward=Viewed(network.forward, views), tta=full)
    return dataclasses.replace(loaded, network=network)


def _views(part: Component, network: Network, images: ImageFacts) -> Views:
    """Return an augmentation's views, seen to be such on two blank images."""
    views: Views | None = getattr(build_augmentations((part,), images, network)[0], "views", None)
    if views is None:
        raise UsageError(
            f"{part.label} shows no views of an image; --tta takes augmentations that do, such as flip or shift"
        )
    inputs = network.prepare_evaluation(torch.zeros(2, images.in_channels, *images.image_size, dtype=torch.uint8))
    try:
        shown = list(views(inputs))
        right = shown and all((view.shape, view.dtype) == (inputs.shape, inputs.dtype) for view in shown)
    except Exception as error:
        raise PluginError(f"the views of {part.label} fail: {in_one_line(error)}") from error
    if not right:
        raise PluginError(f"the views of {part.label} must have the inputs' shape and type, {tuple(inputs.shape)}")
    return views
