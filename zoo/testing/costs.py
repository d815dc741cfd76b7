"""What a plugin's model costs, for the facts that its author may state in `add.model`."""

from __future__ import annotations

from typing import Any

from zoo.errors import UsageError, ZooError
from zoo.inspection.cost import cost_of
from zoo.inspection.meta import on_meta
from zoo.registry import Entry, build
from zoo.registry.entry import in_one_line


def measured(entry: Entry, shape: tuple[int, int, int], num_classes: int) -> dict[str, Any]:
    """Count a model's parameters and what one image of *shape*, (C, H, W), costs it.

    Returns:
        The facts, as ``add.model(..., facts=...)`` takes them.

    Raises:
        UsageError: If it does not take such an image, or its builder reads values, which are not there on the meta
            device.
    """
    channels, height, width = shape
    facts = {"num_classes": num_classes, "in_channels": channels, "image_size": (height, width)}
    try:
        with on_meta():
            model = build(entry, facts=facts, options={})
        size = getattr(model, "input_size", None) or (height, width)
        cost = cost_of(model, (channels, *size))
    except ZooError:
        raise
    except Exception as error:
        raise UsageError(f"{entry} cannot be measured with {shape} images: {in_one_line(error)}") from error
    return {**vars(cost), "input_size": (channels, *size)}
