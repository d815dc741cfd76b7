"""What pretrained weights expect of the images that they are given, and where they are from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

INTERPOLATIONS = ("nearest", "bilinear", "bicubic")
"""How images may be resized."""

HEADS = ("new", "kept")
"""What became of the layer that gives the logits."""


@dataclass(frozen=True, kw_only=True)
class Expects:
    """What a model's weights expect of images; a builder sets it as ``model.expects``, and zoo prepares images so.

    Attributes:
        mean: One number for each channel that the model takes, where white is 1. Grey images are repeated for a model
            that takes three.
        std: As many numbers, above 0.
        size: (H, W) of the inputs, in pixels; None where the weights have no size of their own.
        interpolation: How images are resized to it: ``"nearest"``, ``"bilinear"`` or ``"bicubic"``.
        crop: The share of the picture's shorter side that the weights' publisher keeps when it measures them, above 0
            and at most 1. Recorded, and applied only where pictures are cropped.
        classes: The names of the classes that the weights were trained on, in the order of their logits; empty where
            they are not known.
        head: ``"kept"`` where the weights' last layer serves the data's classes, ``"new"`` where it was begun anew.
        source: Where the weights are from: a name, an address, a file.
        sha256: The SHA-256 of their file, 64 hexadecimal digits; empty where there is no file or it is not known.
        license: Under which they are published; empty where that is not known.

    Raises:
        ValueError: If a value is none of these.
    """

    mean: Sequence[float]
    std: Sequence[float]
    size: tuple[int, int] | None = None
    interpolation: str = "bilinear"
    crop: float = 1.0
    classes: Sequence[str] = ()
    head: str = "new"
    source: str = ""
    sha256: str = ""
    license: str = ""

    def __post_init__(self) -> None:
        for name in ("mean", "std", "classes"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        self._check_statistics()
        if self.size is not None:
            object.__setattr__(self, "size", _checked_size(self.size))
        if self.interpolation not in INTERPOLATIONS:
            raise ValueError(f"interpolation must be one of {', '.join(INTERPOLATIONS)}, not {self.interpolation!r}")
        if not 0 < self.crop <= 1:
            raise ValueError(f"crop must be above 0 and at most 1, not {self.crop!r}")
        if self.head not in HEADS:
            raise ValueError(f"head must be one of {', '.join(HEADS)}, not {self.head!r}")
        if self.sha256 and (len(self.sha256) != 64 or set(self.sha256) - set("0123456789abcdef")):
            raise ValueError(f"sha256 must be 64 hexadecimal digits in lower case, not {self.sha256!r}")

    @property
    def channels(self) -> int:
        """How many channels the model takes."""
        return len(self.mean)

    def rows(self, classes: Sequence[str]) -> tuple[int, ...] | None:
        """Return the place of each of *classes* among the weights' own, or None where one of them has no single place.

        The same names in the same order have theirs, even where two are equal, as ImageNet's two cranes.

        Args:
            classes: The data's names, K.
        """
        if classes and tuple(classes) == tuple(self.classes):
            return tuple(range(len(classes)))
        places: dict[str, int | None] = {}
        for index, name in enumerate(self.classes):
            places[name] = None if name in places else index
        found = tuple(places.get(name) for name in classes)
        return None if not found or None in found else found  # type: ignore[return-value]

    def _check_statistics(self) -> None:
        fits = len(self.mean) == len(self.std) > 0
        if not fits or not all(map(math.isfinite, self.mean)) or not all(0 < value < math.inf for value in self.std):
            raise ValueError(
                f"mean {list(self.mean)!r} and std {list(self.std)!r} must have a number for each channel, and every "
                "std must be above 0"
            )


def _checked_size(size: Sequence[int]) -> tuple[int, int]:
    sides = tuple(size)
    if len(sides) != 2 or not all(type(side) is int and side > 0 for side in sides):
        raise ValueError(f"size must be (H, W) in pixels, not {size!r}")
    return sides[0], sides[1]
