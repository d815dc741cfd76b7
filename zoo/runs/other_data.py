"""Other labelled images than a run's own, as the run's model sees them: their classes matched by name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo.config import Choice, Config, Layer, nested
from zoo.data import Dataset, ImageFacts, Split
from zoo.errors import UsageError

ALL = "all"
"""The images of both splits of a dataset."""

OWN = ("train", "validation", "test")
"""The splits of a run's own data, whose names no other data may have."""


class MatchedSplit:
    """Images of several splits, with the labels that a model has for them; those of classes it does not know left out.

    Args:
        parts: The splits, one behind the other.
        labels: For each label of theirs the model's, or -1, int64 (K',).
    """

    def __init__(self, parts: Sequence[Split], labels: Tensor) -> None:
        self._parts = parts
        starts = torch.tensor([0, *map(len, parts)]).cumsum(0)
        every = torch.cat([part.labels for part in parts])
        matched = labels.to(every.device)[every]
        self._places = (matched >= 0).nonzero().squeeze(1)
        self._labels = matched[self._places]
        self._starts = starts.tolist()
        self.left_out = len(every) - len(self._places)

    @property
    def labels(self) -> Tensor:
        """All labels, int64 (N,)."""
        return self._labels

    @property
    def names(self) -> list[str] | None:
        """Each sample's own name, or None where a split has no names."""
        return self._chosen("names")

    @property
    def sizes(self) -> list[int] | None:
        """The bytes of each sample's file, or None where a split does not tell."""
        return self._chosen("sizes")

    def __len__(self) -> int:
        return len(self._labels)

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images, uint8 (B, C, H, W), and labels, int64 (B,), at *indices*, int64 (B,)."""
        places = self._places[indices]
        found: list[Tensor] = []
        order: list[Tensor] = []
        for part, start, stop in zip(self._parts, self._starts, self._starts[1:], strict=False):
            here = ((places >= start) & (places < stop)).nonzero().squeeze(1)
            if len(here):
                found.append(part.batch(places[here] - start)[0])
                order.append(here)
        return torch.cat(found)[torch.cat(order).argsort()], self._labels[indices]

    def _chosen(self, attribute: str) -> list[Any] | None:
        every = [getattr(part, attribute, None) for part in self._parts]
        if any(values is None for values in every):
            return None
        joined = [value for values in every for value in values or ()]
        return [joined[place] for place in self._places.tolist()]


@dataclass(frozen=True)
class OtherData:
    """Images of another dataset.

    Attributes:
        split: Those whose classes the model knows.
        name: What the evaluation is kept under.
        unknown: Classes that the model does not know.
        missing: Classes of the model without images.
    """

    split: MatchedSplit
    name: str
    unknown: tuple[str, ...]
    missing: tuple[str, ...]


def other_config(config: Config, data: str | None, options: Mapping[str, Any]) -> Config:
    """Return a run's configuration with other data; the options of its own stay where the dataset is the same.

    Raises:
        UsageError: If an option is none of the data's.
    """
    if wrong := [key for key in options if not key.startswith("data.")]:
        raise UsageError(f"{wrong[0]!r} is a setting of the run, which stays; only data.OPTION can be given")
    layers = [Layer("the run", config.to_dict())]
    layers += [Layer("--data", {"data": {"name": data}})] if data is not None else []
    layers += [Layer(f"--set {key}", nested(key, value)) for key, value in options.items()]
    return Config.from_layers(layers)


def matched(dataset: Dataset, images: ImageFacts, which: str, name: str) -> OtherData:
    """Return the images of *dataset* as a model sees them that was trained on *images*.

    Args:
        dataset: The other data.
        images: What the model takes.
        which: ``"all"``, ``"train"`` or ``"test"``.
        name: What the evaluation is kept under.

    Raises:
        UsageError: If the images have other channels or another size, or no class is one of the model's.
    """
    facts = dataset.facts
    if (facts.in_channels, facts.image_size) != (images.in_channels, images.image_size):
        raise UsageError(
            f"the model takes {_shape(images)} and these images are {_shape(facts)}; "
            "an option of the dataset, such as --set data.size=[H,W], may change that"
        )
    known = {label: k for k, label in enumerate(images.classes)}
    labels = torch.tensor([known.get(label, -1) for label in facts.classes])
    if not (labels >= 0).any():
        raise UsageError(
            f"none of the classes is the model's: they are {_some(facts.classes)}, and it knows {_some(images.classes)}"
        )
    parts = {ALL: [dataset.train, dataset.test], "train": [dataset.train], "test": [dataset.test]}[which]
    split = MatchedSplit(parts, labels)
    if not len(split):
        raise UsageError(f"the {which} images have none of the model's classes; --split all takes all images")
    present = set(split.labels.tolist())
    return OtherData(
        split,
        name,
        unknown=tuple(label for label in facts.classes if label not in known),
        missing=tuple(label for k, label in enumerate(images.classes) if k not in present),
    )


def name_of(choice: Choice, name: str | None) -> str:
    """Return what an evaluation of other data is kept under: the given *name*, or one after the dataset and its root.

    Raises:
        UsageError: If it is no name for a file, or that of one of the run's own splits.
    """
    root = choice.options.get("root")
    parts = [choice.name.rpartition("/")[2], *([Path(str(root)).expanduser().resolve().name] if root else [])]
    chosen = name if name is not None else re.sub(r"[^A-Za-z0-9_-]+", "_", "-".join(parts))
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", chosen) or chosen in OWN:
        raise UsageError(f"--name must be letters, digits, - and _, and none of {', '.join(OWN)}, not {chosen!r}")
    return chosen


def _shape(images: ImageFacts) -> str:
    return f"{images.in_channels} x {images.image_size[0]} x {images.image_size[1]}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:3])) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
