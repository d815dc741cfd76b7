"""From the dataset that was named to the splits that a run uses."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch

from zoo.config import Config
from zoo.data import Dataset, Split, Subset, capped, hold_out, resident, validation_count
from zoo.data.identity import Identification
from zoo.runs.components import Component


@dataclass(frozen=True)
class Splits:
    """The three parts of a dataset that a run uses; *validation* is None where nothing is held out."""

    train: Split
    validation: Split | None
    test: Split


def load_dataset(component: Component, device: torch.device) -> tuple[Dataset, Identification]:
    """Build the dataset, its in-memory splits on *device*, and begin to find out what its images are known by.

    Raises:
        UsageError: If its options are wrong.
        DamagedError: If its files are damaged.
    """
    dataset: Dataset = component.build()
    images = Identification(dataset)
    moved = dataclasses.replace(dataset, train=resident(dataset.train, device), test=resident(dataset.test, device))
    return moved, images


def split_dataset(dataset: Dataset, config: Config) -> Splits:
    """Hold the validation images out and cap what is left, all as a pure function of the settings and the seed."""
    labels, seed = dataset.train.labels, config.train.seed
    count = validation_count(len(dataset.train), config.train.validation)
    kept, held = (indices.to(labels.device) for indices in hold_out(labels, count, seed))
    validation = capped(Subset(dataset.train, held), config.limit, seed) if count else None
    return Splits(
        train=capped(Subset(dataset.train, kept), config.limit, seed),
        validation=validation,
        test=capped(dataset.test, config.limit, seed),
    )
