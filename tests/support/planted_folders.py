"""Folders with files that nobody opens, and what the dataset `folder` makes of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from zoo_folder.layout import Layout, Splits, find_images

import zoo

Tree = Mapping[str, int]
"""How many images lie in each folder."""


def planted(root: Path, tree: Tree) -> Path:
    """Make the folders, with files that nobody opens."""
    for name, count in tree.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            (root / name / f"{index}.png").touch()
    return root


def counted(layout: Layout) -> tuple[dict[str, int], ...]:
    """Return the counts by class of the training and the test images, and of a validation set where there is one."""
    splits = (layout.train, layout.test, *([layout.validation] if layout.validation else []))
    return tuple(dict(Counter(layout.classes[sample.label] for sample in split)) for split in splits)


def outcome(root: Path, said: Splits) -> tuple[dict[str, int], ...] | str:
    """Return the counts of the splits by class, or the refusal's text."""
    try:
        return counted(find_images(root, 0.2, 0, splits=said))
    except zoo.UsageError as error:
        return str(error)
