"""What a checkpoint records of the images and of the weights' expectations, as plain data and back."""

from __future__ import annotations

import dataclasses
from typing import Any

from zoo.data import Expects, ImageFacts
from zoo.errors import DamagedError


def facts_to_json(images: ImageFacts) -> dict[str, Any]:
    """Return the facts of the images as plain data."""
    return dataclasses.asdict(images)


def facts_from_json(data: Any, where: str = "the checkpoint's state.json") -> ImageFacts:
    """Return the facts that `facts_to_json` wrote, *where* naming the file for the message.

    Raises:
        DamagedError: If *data* has another form.
    """
    try:
        height, width = data["image_size"]
        return ImageFacts(
            classes=tuple(map(str, data["classes"])),
            mean=tuple(map(float, data["mean"])),
            std=tuple(map(float, data["std"])),
            in_channels=int(data["in_channels"]),
            image_size=(int(height), int(width)),
            fit=str(data.get("fit", "stretch")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"{where} lacks or misstates the images: {error}") from error


def expects_to_json(expects: Expects | None) -> dict[str, Any] | None:
    """Return what a model's weights expect as plain data."""
    return None if expects is None else dataclasses.asdict(expects)


def expects_from_json(data: Any) -> Expects | None:
    """Return what `expects_to_json` wrote; None for the runs from before there was such a thing, too.

    Raises:
        DamagedError: If *data* has another form.
    """
    try:
        return None if data is None else Expects(**data)
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"the checkpoint's state.json misstates what the weights expect: {error}") from error
