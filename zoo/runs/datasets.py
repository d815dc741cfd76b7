"""From the dataset that was named to the splits that a run uses."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.config import Choice, Config, fold_of
from zoo.data import Dataset, Split, Subset, capped, choose_rule, hold_out, hold_out_fold
from zoo.data.dataset import weights_of
from zoo.data.duplicates import Duplicates, duplicates
from zoo.data.identity import Identification
from zoo.data.splits import places_of
from zoo.errors import UnknownNameError, UsageError
from zoo.registry import signature_of
from zoo.runs.components import Component, find_component, reader_of

_log = logging.getLogger("zoo")

_UNREAD = {"size": 32, "color": True}


@dataclass(frozen=True)
class Splits:
    """The three parts of a dataset that a run uses; *validation* is None where nothing is held out.

    *rule* is how the held-out images were chosen, as `zoo.data.hold_out` knows it, and *chosen* whether the validation
    images were, as a part of the dataset's training images.
    """

    train: Split
    validation: Split | None
    test: Split
    rule: str
    chosen: bool = False

    @property
    def counts(self) -> dict[str, int]:
        """The number of images of each part."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: 0 if split is None else len(split) for name, split in parts.items()}

    def learnt(self) -> dict[str, Duplicates | None]:
        """Return the validation and test images that are also training images; None where that is not known."""
        others = {"validation": self.validation, "test": self.test}
        return duplicates({name: split for name, split in others.items() if split is not None}, self.train)


def load_dataset(component: Component, split_by: str) -> tuple[Dataset, Identification]:
    """Build the dataset, and begin to find out what its images are known by.

    Images that are encoded are not decoded yet, as the model may ask for a size. *split_by* is the setting, for a
    dataset that splits its images itself.

    Raises:
        UsageError: If its options are wrong.
        DamagedError: If its files are damaged.
    """
    dataset: Dataset = component.build(split_by=split_by)
    return dataset, Identification(dataset)


def dataset_named(data: str, options: Mapping[str, Any], *, unread: bool = False) -> Component:
    """Return the dataset of a name, or the images in a folder or a file.

    Args:
        data: A dataset's name, or a folder, or a table, an archive, arrays or a pack.
        options: The dataset's, such as ``{"data.root": "labels.csv"}``.
        unread: Whether to choose a size and colour where nobody did and the builder takes them, so that it looks into
            no file: for whoever reads them all anyway.

    Raises:
        UsageError: If it is neither, or an option cannot be.
    """
    if wrong := [key for key in options if not key.startswith("data.")]:
        raise UsageError(f"{wrong[0]!r} is no option of the dataset, which are called data.OPTION")
    given = {key.removeprefix("data."): value for key, value in options.items()}
    choice = Choice(data, given)
    path = Path(data).expanduser()
    if "root" not in given and (reader := reader_of(path)) is not None:
        choice = Choice(reader, {"root": str(path), **given})
    try:
        component = find_component("data", choice)
    except UnknownNameError as error:
        if error.what != "dataset":
            raise
        raise UsageError(f"there is no folder {data!r}, and {error}") from error
    if unread and component.entry is not None:
        known = signature_of(component.entry).options
        chosen = {name: value for name, value in _UNREAD.items() if name in known and name not in component.options}
        component = dataclasses.replace(component, options={**component.options, **chosen})
    return component


def split_dataset(dataset: Dataset, config: Config) -> Splits:
    """Hold the validation images out and cap what is left, all as a pure function of the settings and the seed.

    A dataset's own validation images are taken, unless it is said how many of the training images are to be held out,
    or which fold of them.
    """
    settings, device = config.train, dataset.train.labels.device
    rule = choose_rule(settings.split_by, dataset.train)
    if settings.fold is not None:
        return _fold(dataset, config, rule)
    train: Split = dataset.train
    validation: Split
    if settings.validation and not dataset.divisible:
        raise UsageError(
            f"--validation {settings.validation} would divide groups of images that belong together; "
            "leave it out, or choose the share by an option of the dataset"
        )
    if dataset.validation is not None and settings.validation is None:
        validation = dataset.validation
    else:
        chosen = hold_out(dataset.train, settings.validation, settings.seed, rule)
        train, validation = (Subset(dataset.train, indices.to(device)) for indices in chosen)
    if not len(validation) and settings.validation != 0:
        _log.warning("no validation images are held out, as no class has two images: the last epoch counts")
    return Splits(
        train=_learnable(capped(train, config.limit, settings.seed, rule)),
        validation=capped(validation, config.limit, settings.seed, rule) if len(validation) else None,
        test=capped(dataset.test, config.limit, settings.seed, rule),
        rule=rule,
        chosen=validation is not dataset.validation and len(validation) > 0,
    )


def _fold(dataset: Dataset, config: Config, rule: str) -> Splits:
    """Hold a fold out, of what the cap has left: so all folds together hold out every image."""
    settings, device = config.train, dataset.train.labels.device
    if settings.validation is not None:
        raise UsageError("--fold takes the place of --validation; leave one of them out")
    if not dataset.divisible and dataset.groups is None:
        raise UsageError("--fold would divide images that belong together, and this dataset does not tell which do")
    whole = capped(dataset.train, config.limit, settings.seed, rule)
    groups = None if dataset.groups is None else [dataset.groups[place] for place in places_of(whole).tolist()]
    number, count = fold_of(settings.fold or "")
    train, held = (
        Subset(whole, indices.to(device)) for indices in hold_out_fold(whole, number, count, settings.seed, groups)
    )
    return Splits(_learnable(train), held, capped(dataset.test, config.limit, settings.seed, rule), rule)


def _learnable(train: Split) -> Split:
    """Return the training images.

    Raises:
        UsageError: If all have weight 0.
    """
    weights = weights_of(train)
    if weights is not None and not weights.any():
        raise UsageError(
            f"all {len(train):,} training images that are left have weight 0, so that there is nothing to learn; "
            "leave out data.limit, or hold out fewer by --validation"
        )
    return train
