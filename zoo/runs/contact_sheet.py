"""`zoo.contact_sheet`: some training images as the model is shown them, epoch after epoch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from zoo.config import Config
from zoo.data import Preparation, Split
from zoo.errors import UsageError
from zoo.runs.api import requested
from zoo.runs.components import find_components
from zoo.runs.parts import Parts
from zoo.runs.reporting import Reporter
from zoo.runs.task import build_reading
from zoo.runs.training import build_parts
from zoo.training.arithmetic import own_arithmetic
from zoo.training.randomness import random_state_kept
from zoo.training.world import ALONE

if TYPE_CHECKING:
    from PIL import Image

IMAGES, COLUMNS = 6, 7
_GAP = 4  # pixels between the images
_LEAST = 96  # pixels a side that smaller images are enlarged to, about


def contact_sheet(
    model: Any = None,
    *,
    images: int = IMAGES,
    columns: int = COLUMNS,
    options: Mapping[str, Any] | None = None,
    recipe: str | None = None,
    config: str | Path | None = None,
    **settings: Any,
) -> Image.Image:
    """Draw training images as a model is shown them: resized, normalised and back, and augmented.

    Args:
        model: As for `zoo.train`: its size and its weights' statistics count.
        images: Rows: as many training images, evenly through the classes.
        columns: Epochs, after a first column that shows each image without augmentation.
        options: As for `zoo.train`.
        recipe: As for `zoo.train`.
        config: As for `zoo.train`.
        **settings: As for `zoo.train`.

    Returns:
        The picture; ``save("sheet.png")`` writes it.

    Raises:
        UsageError: If a name, an option or a value is wrong.
        ZooError: If the work fails.
    """
    asked, objects = requested(model, options, recipe, config, settings)
    return drawn(asked, images, columns, objects)


def drawn(config: Config, images: int, columns: int, objects: Mapping[str, Any] | None) -> Image.Image:
    """Build what a run of *config* would begin with, and draw what it would be shown; no run is begun.

    Raises:
        UsageError: If there is nothing to draw, or a setting is wrong.
    """
    if images < 1 or columns < 1:
        raise UsageError("a contact sheet has at least one image and one epoch")
    components = find_components(config, objects)
    with random_state_kept(), own_arithmetic():
        plain = dataclasses.replace(components.resolved(config), observe=())
        parts = build_parts(plain, components, Reporter(), ALONE, None, None, told=False)
        return _grid(_shown(parts, _chosen(parts.splits.train, images), columns))


def _chosen(split: Split, count: int) -> Tensor:
    """Return the places of images, evenly through the classes, int64 (count,)."""
    by_class = torch.sort(split.labels, stable=True).indices
    count = min(count, len(by_class))
    return by_class[torch.arange(count, device=by_class.device) * len(by_class) // count]


def _shown(parts: Parts, places: Tensor, epochs: int) -> list[Tensor]:
    """Return the pixels of each column, uint8 (N, C, H, W)."""
    network, split = parts.network, parts.splits.train
    stored, labels = split.batch(places)
    targets = labels.to(network.device)
    columns = [_pixels(network.prepare(stored), network.prepare)]
    chosen = parts.components.several["augment"]
    reader, augmenter = build_reading(chosen, parts.images, split, network, parts.config.train)
    for epoch in range(epochs):
        inputs = network.prepare(reader.batch(epoch, places)[0])  # of some augmentations, another part in each epoch
        changed = inputs if augmenter is None else augmenter(inputs, targets, epoch, places)[0]
        columns.append(_pixels(changed, network.prepare))
    return columns


def _pixels(inputs: Tensor, prepare: Preparation) -> Tensor:
    """Return what inputs look like: they are no longer normalised, and what is beyond black and white is cut off."""
    return (inputs / prepare.scale + prepare.shift).round().clamp(0, 255).byte().cpu()


def _grid(columns: list[Tensor]) -> Image.Image:
    from PIL import Image

    count, channels, height, width = columns[0].shape
    times = max(1, round(_LEAST / max(height, width)))
    size = (width * times, height * times)
    step = (size[0] + _GAP, size[1] + _GAP)
    sheet = Image.new("RGB", (step[0] * len(columns) + _GAP, step[1] * count - _GAP), "white")
    for number, column in enumerate(columns):
        left = number * step[0] + (2 * _GAP if number else 0)  # what is not augmented stands by itself
        for row, image in enumerate(column):
            colours = image.permute(1, 2, 0).contiguous().numpy() if channels == 3 else image[0].contiguous().numpy()
            picture = Image.fromarray(colours).convert("RGB").resize(size, Image.Resampling.NEAREST)
            sheet.paste(picture, (left, row * step[1]))
    return sheet
