"""Whether crops are cut from the pictures in their files, or from inputs."""

from __future__ import annotations

import dataclasses

from zoo.config import Config
from zoo.data import Dataset, is_cuttable
from zoo.data.cutting import takes_parts
from zoo.errors import UsageError
from zoo.runs.components import Components
from zoo.runs.network import Network
from zoo.runs.task import build_augmentations


def with_crops(config: Config, components: Components, dataset: Dataset, network: Network) -> Config:
    """Return *config* with it decided what crops are cut from.

    Args:
        config: The run's.
        components: Its parts.
        dataset: As its builder returned it: images that are encoded are not decoded yet.
        network: The model, and what prepares its inputs, which may not know the images' statistics yet.

    Raises:
        UsageError: If crops are to be cut from files, and cannot be; or an augmentation's options are wrong.
    """
    asked = config.train.crop_from
    if asked == "input":
        return config
    hindrance = _hindrance(components, dataset, network)
    if hindrance is not None and asked == "file":
        raise UsageError(f"--crop-from file cannot be: {hindrance}; leave it out")
    chosen = "file" if hindrance is None else "input"
    return dataclasses.replace(config, train=dataclasses.replace(config.train, crop_from=chosen))


def _hindrance(components: Components, dataset: Dataset, network: Network) -> str | None:
    """Return why nothing can be cut from files, or None."""
    first = components.several["augment"][:1]
    if not first or not takes_parts(build_augmentations(first, dataset.facts, network)[0]):
        return "the first augmentation is none that takes parts of images, as crop does"
    if not is_cuttable(dataset.train):
        return f"the images of {components['data'].choice.name} are not encoded"
    return None
