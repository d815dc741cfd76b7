"""`zoo.check_data`: a dataset looked through before anything is learnt from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.data.findings import Finding, findings, named_splits
from zoo.errors import DamagedFilesError
from zoo.runs.datasets import dataset_named

DAMAGED, FALSIFIED = 4, 1


def check_data(data: str, *, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Look at every image of a dataset, and tell what is wrong with it.

    Args:
        data: A dataset's name, such as ``"table"``, or a folder of images.
        options: The dataset's, such as ``{"data.root": "labels.csv"}``.

    Returns:
        ``data``, its full name; ``splits``, the number of images of each; ``classes``; ``findings``, the worst first,
        each with ``kind``, ``severity`` (``"damaged"``, ``"falsifies"`` or ``"doubtful"``), ``summary`` and ``items``,
        groups of texts: images that are the same, an image and what is wrong with it, a class and its number.

    Raises:
        UsageError: If there is no such dataset, or it cannot be built so.
        DamagedError: If it cannot be read at all, such as a damaged table.
    """
    component = dataset_named(data, options or {}, unread=True)
    try:
        dataset = component.build(split_by="auto")
    except DamagedFilesError as error:  # of a dataset that looks into its files as it is built
        faults = [(place, str(fault)) for place, fault in error.faults.items()]
        unreadable = Finding(
            "unreadable", "damaged", f"{len(faults):,} images cannot be read; nothing else was looked at", faults
        )
        return _document(component.choice.name, {}, 0, [unreadable])
    counts = {part: len(getattr(dataset, part)) for part in named_splits(dataset)}
    return _document(component.choice.name, counts, dataset.num_classes, findings(dataset))


def exit_code(document: Mapping[str, Any]) -> int:
    """Return 4 where images cannot be read, 1 where something would falsify a result, and else 0."""
    severities = {finding["severity"] for finding in document["findings"]}
    return DAMAGED if "damaged" in severities else FALSIFIED if "falsifies" in severities else 0


def _document(data: str, splits: Mapping[str, int], classes: int, found: list[Finding]) -> dict[str, Any]:
    told = [
        {
            "kind": finding.kind,
            "severity": finding.severity,
            "summary": finding.summary,
            "items": [list(item) for item in finding.items],
        }
        for finding in found
    ]
    return {"data": data, "splits": dict(splits), "classes": classes, "findings": told}
