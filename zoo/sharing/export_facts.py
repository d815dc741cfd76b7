"""What an exported file tells of itself, as plain data: written by an export, read without torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

import zoo
from zoo.errors import DamagedError, UsageError

if TYPE_CHECKING:
    from zoo.runs.loading import LoadedRun

SCHEMA = 1

KEY = "zoo"
"""Under which a file keeps them, as JSON."""


@dataclass(frozen=True)
class ExportedFacts:
    """What one must know to use an exported file.

    Attributes:
        classes: The K classes.
        channels: C of the images, 1 for grey or 3 for colour.
        image_size: Their (H, W).
        fit: How a picture of another aspect becomes an image: ``"stretch"``, ``"pad"`` or ``"crop"``.
        interpolation: How it is resized.
        document: All that the file tells.
    """

    classes: tuple[str, ...]
    channels: int
    image_size: tuple[int, int]
    fit: str
    interpolation: str
    document: Mapping[str, Any]


def facts_of(loaded: LoadedRun, which: str, temperature: float | None, test: Mapping[str, str]) -> dict[str, Any]:
    """Return what a file tells of the run that it was exported from.

    Args:
        loaded: The run.
        which: ``"best"`` or ``"last"``.
        temperature: What its probabilities are tempered by.
        test: What its test images are known by.
    """
    images = loaded.images
    return {
        "schema": SCHEMA,
        "zoo": zoo.__version__,
        "classes": list(images.classes),
        "channels": images.in_channels,
        "image_size": list(images.image_size),
        "fit": images.fit,
        "interpolation": loaded.network.prepare.decoding_filter,
        "temperature": temperature,
        "checkpoint": which,
        "epoch": loaded.results[-1].epoch if loaded.results else 0,
        "step": loaded.checkpoint.step,
        "checkpoint_digest": loaded.checkpoint.manifest.digest,
        "test": dict(test),
        "config": without_places(loaded.config.to_dict()),
    }


def without_places(value: Any) -> Any:
    """Return plain data without the paths of a machine, which name its owner and lead nowhere elsewhere."""
    if isinstance(value, Mapping):
        return {key: without_places(item) for key, item in value.items() if not _is_place(item)}
    return [without_places(item) for item in value if not _is_place(item)] if isinstance(value, list) else value


def _is_place(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    return value.startswith("~") or PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute()


def facts_from_json(text: str | None, where: str) -> ExportedFacts:
    """Return what an export wrote into a file.

    Args:
        text: What the file holds under `KEY`, or None.
        where: The file, for messages.

    Raises:
        UsageError: If it was not written by an export, or by a newer zoo.
        DamagedError: If it misstates something.
    """
    if text is None:
        raise UsageError(f"{where} was not written by 'zoo export': it does not tell its classes and sizes")
    try:
        found = json.loads(text)
        if found["schema"] > SCHEMA:
            raise UsageError(f"{where} was written by a newer zoo, in schema {found['schema']}: upgrade torch-zoo")
        height, width = map(int, found["image_size"])
        classes = tuple(map(str, found["classes"]))
        return ExportedFacts(
            classes, int(found["channels"]), (height, width), str(found["fit"]), str(found["interpolation"]), found
        )
    except UsageError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"{where} lacks or misstates what 'zoo export' writes: {error!r:.80}") from error
