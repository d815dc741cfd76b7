"""Whether a run's images are still those that it began with."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from zoo.data import ImageFacts
from zoo.data.changes import Listings, changes
from zoo.data.duplicates import Duplicates
from zoo.data.identity import SPLITS, DataIdentity, Identification, Listing, SplitIdentity
from zoo.errors import DamagedError, UsageError
from zoo.records.checkpoints import Checkpoint
from zoo.records.directory import RunDirectory
from zoo.records.images import DATA, FILES, read_data, read_files, write_images
from zoo.runs.facts import facts_from_json, facts_to_json

SCHEMA = 1

Notice = Callable[[str], None]


def keep_identity(
    directory: RunDirectory, images: Identification, facts: ImageFacts, duplicates: Mapping[str, Duplicates | None]
) -> None:
    """Write what the images of a run are known by, as it begins, and the facts of those that it trains on.

    Args:
        directory: The run's.
        images: What they are known by.
        facts: Of those that it trains on.
        duplicates: The images of other splits that are also among those, by split; None where that is not known.
    """
    found = images.of()
    data = {
        "schema": SCHEMA,
        "images": facts_to_json(facts),
        "splits": {name: dict(vars(split)) for name, split in found.splits.items()},
        "duplicates": {name: dict(vars(some)) if some else None for name, some in duplicates.items()},
    }
    files = {name: dict(vars(listing)) for name, listing in images.listings.items() if listing is not None}
    write_images(directory.path, data, files)


def check_images(
    directory: RunDirectory, checkpoint: Checkpoint | None, images: Identification, notice: Notice
) -> None:
    """See that *images* are those that a run began with, before it goes on from its newest *checkpoint*.

    Raises:
        UsageError: If they are others.
    """
    facts = None if checkpoint is None else facts_from_json(checkpoint.state.get("images"))
    if changed := changed_images(directory, facts, images, notice):
        raise UsageError(
            f"the images are not those that {directory} began with: {'; '.join(changed)}.\n"
            "Put them back as they were, or train on these with another --out."
        )


def changed_images(
    directory: RunDirectory,
    facts: ImageFacts | None,
    images: Identification,
    notice: Notice,
    splits: tuple[str, ...] = (),
) -> list[str]:
    """Return how *images* differ from those that a run began with, a text each; nothing where they do not.

    Args:
        directory: The run's.
        facts: What the run's checkpoint knows of its images, None where there is no checkpoint. They stand in for the
            record in a run that was begun before there was one.
        images: Those that are there now.
        notice: Told where something could not be compared.
        splits: Those that matter; all where none are named.
    """
    try:
        then = _recorded_identity(directory)
    except DamagedError as error:
        notice(f"{error}; going on without it")
        then = None
    if then is None:
        if facts is None:
            return []
        compared = "classes, size and statistics" if images.measured else "classes and channels"
        notice(f"{directory} has no record of its images in {DATA}: only the {compared} were compared")
        then = DataIdentity(facts, {})
    classes = then.facts.num_classes
    return changes_since(then, images, lambda: _recorded_listings(directory, classes, notice), splits)


def changes_since(
    then: DataIdentity, images: Identification, recorded: Callable[[], Listings], splits: tuple[str, ...] = ()
) -> list[str]:
    """Return how *images* differ from what they were known by, a text each; nothing where they do not.

    Args:
        then: What they were known by.
        images: Those that are there now.
        recorded: Returns the named files that were, by split; called where a split differs.
        splits: Those that matter; all where none are named.
    """
    now = images.of(*splits)
    if not images.measured:  # size and statistics are as the run chooses them; the files tell whether they are the same
        facts = dataclasses.replace(then.facts, classes=now.facts.classes, in_channels=now.facts.in_channels)
        now = dataclasses.replace(now, facts=facts)
    return changes(then, now, recorded, images.listings)


def _recorded_identity(directory: RunDirectory) -> DataIdentity | None:
    data = read_data(directory.path)
    return identity_from_json(data, f"{directory.path / DATA}") if data else None


def identity_from_json(data: Mapping[str, Any], where: str) -> DataIdentity:
    """Return what `keep_identity` wrote to data.json, *where* naming the file for the message.

    Raises:
        DamagedError: If *data* has another form.
    """
    if data.get("schema") != SCHEMA:
        raise DamagedError(f"{where} has schema {data.get('schema')!r}, and this torch-zoo reads {SCHEMA}")
    facts = facts_from_json(data.get("images"), where)
    try:
        splits = {
            name: _split_from_json(data["splits"][name], facts.num_classes)
            for name in dict.fromkeys((*SPLITS, *data["splits"]))
        }
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"{where} lacks or misstates something: {error}") from error
    return DataIdentity(facts, splits)


def _split_from_json(split: Mapping[str, Any], num_classes: int) -> SplitIdentity:
    counts = tuple(map(int, split["counts"]))
    if len(counts) != num_classes:
        raise ValueError(f"{len(counts)} counts for {num_classes} classes")
    texts = {key: str(split[key]) for key in ("known_by", "labels_sha256", "images_sha256")}
    return SplitIdentity(counts, **texts)


def _recorded_listings(directory: RunDirectory, num_classes: int, notice: Notice) -> dict[str, Listing | None]:
    """Return the names of the run's files by split; without them the message names no file, and is as right."""
    try:
        return {name: _listing_from_json(listed, num_classes) for name, listed in read_files(directory.path).items()}
    except (KeyError, TypeError, ValueError) as error:
        notice(f"{directory.path / FILES} lacks or misstates something: {error}; going on without it")
    except DamagedError as error:
        notice(f"{error}; going on without it")
    return {}


def _listing_from_json(listed: Mapping[str, Any], num_classes: int) -> Listing:
    names, labels = list(map(str, listed["names"])), list(map(int, listed["labels"]))
    sizes = None if listed["sizes"] is None else list(map(int, listed["sizes"]))
    if not len(names) == len(labels) == len(names if sizes is None else sizes):
        raise ValueError(f"{len(names)} names, {len(labels)} labels")
    if wrong := [label for label in labels if not 0 <= label < num_classes]:
        raise ValueError(f"label {wrong[0]} of {num_classes} classes")
    return Listing(names, labels, sizes)
