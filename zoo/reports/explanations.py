"""Where in an image a model saw a class, as numbers and as a picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zoo.errors import UsageError
from zoo.records.disk import named_when_whole
from zoo.reports.pictures import image_of

_PANEL = 256  # pixels that the longer side of each half is enlarged to, about
_GAP = 8
_RAMP = np.array([(60, 10, 90), (190, 40, 90), (250, 140, 40), (255, 250, 170)], dtype=np.float64)
"""From where nothing spoke for the class to where most did: lightness rises, so it is read without colour, too."""


@dataclass(frozen=True)
class Explanation:
    """Where in an image a model saw a class.

    Attributes:
        image: The image's file, or what it was called.
        label: The class that is explained.
        probability: What the model gives it, in [0, 1].
        method: ``"grad-cam"`` or ``"occlusion"``.
        layer: The module whose maps were looked at; empty for occlusion.
        heat: float32 (H, W), from 0 to 1: how much each place speaks for the class, beside the place that speaks most.
            All 0 where none does.
        pixels: What the model was shown, uint8 (C, H, W).
    """

    image: str
    label: str
    probability: float
    method: str
    layer: str
    heat: NDArray[np.float32] = field(repr=False, compare=False)
    pixels: NDArray[np.uint8] = field(repr=False, compare=False)

    def picture(self) -> Image.Image:
        """Return the image as the model was shown it, enlarged where it is small, and beside it the heat over it."""
        _, height, width = self.pixels.shape
        times = max(1, round(_PANEL / max(height, width)))
        size = (width * times, height * times)
        plain = image_of(self.pixels).convert("RGB").resize(size, Image.Resampling.NEAREST)
        heat = np.asarray(Image.fromarray(self.heat).resize(size, Image.Resampling.BILINEAR))
        whole = Image.new("RGB", (2 * size[0] + _GAP, size[1]), "white")
        whole.paste(plain, (0, 0))
        whole.paste(_heated(plain, heat), (size[0] + _GAP, 0))
        return whole

    def save(self, path: str | Path) -> None:
        """Write the picture as a PNG file; one of that name is replaced.

        Raises:
            UsageError: If the file has another ending, or cannot be written.
        """
        path = Path(path)
        if path.suffix.lower() != ".png" or path.is_dir():
            raise UsageError(f"the picture is a file .png, not {str(path)!r}")
        try:
            with named_when_whole(path) as part:
                self.picture().save(part, "PNG", optimize=True)
        except OSError as error:
            raise UsageError(f"cannot write {str(path)!r}: {error.strerror}") from error


def heated(pixels: NDArray[np.uint8], heat: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an image in grey under the colours of its heat, uint8 (3, H, W).

    Args:
        pixels: uint8 (C, H, W), C 1 or 3; of any other number the first channel is shown.
        heat: uint8 (H, W); 255 where most speaks for the class.
    """
    coloured = np.asarray(_heated(image_of(pixels), (heat / np.float32(255)).astype(np.float32)))
    return np.ascontiguousarray(coloured.transpose(2, 0, 1))


def _heated(plain: Image.Image, heat: NDArray[np.float32]) -> Image.Image:
    """Return an image in grey under the colours of its heat, (H, W), in [0, 1]."""
    steps = np.clip(heat, 0, 1)[..., None] * (len(_RAMP) - 1)
    below = np.minimum(steps.astype(int), len(_RAMP) - 2)
    share = steps - below
    colours = _RAMP[below[..., 0]] * (1 - share) + _RAMP[below[..., 0] + 1] * share
    grey = np.asarray(plain.convert("L"), dtype=np.float64)[..., None]
    cover = 0.35 + 0.4 * np.clip(heat, 0, 1)[..., None]
    return Image.fromarray((grey * (1 - cover) + colours * cover).round().astype(np.uint8))
