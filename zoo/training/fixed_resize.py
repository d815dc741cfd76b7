"""Resizing images of one known size within a model."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.files.resizing import resized

Size = tuple[int, int]


class FixedResize(nn.Module):
    """Resizes normalised images by two products with fixed matrices; images that have the size stay as they are.

    Every runtime multiplies matrices alike, while each has an operator of its own for resizing.

    Args:
        size: (H, W) of the images.
        wanted: (H', W').
        interpolation: ``"nearest"``, ``"bilinear"`` or ``"bicubic"``.
        black: What a black pixel is, float32 (C, 1, 1).
        white: What a white one is.
    """

    rows: Tensor
    columns: Tensor
    black: Tensor
    white: Tensor

    def __init__(self, size: Size, wanted: Size, interpolation: str, *, black: Tensor, white: Tensor) -> None:
        super().__init__()
        self.resizes = tuple(size) != tuple(wanted)
        # Bicubic weights overshoot at edges: blacker than black and whiter than white, which no picture is.
        self.clamps = self.resizes and interpolation == "bicubic"
        rows, columns = resizing_matrices(size, wanted, interpolation)
        buffers = {"rows": rows, "columns": columns.T.contiguous(), "black": black, "white": white}
        for name, buffer in buffers.items():
            self.register_buffer(name, buffer, persistent=False)  # they follow from the sizes: no weights

    def forward(self, inputs: Tensor) -> Tensor:
        """Map images, floating (N, C, H, W), to images (N, C, H', W')."""
        if not self.resizes:
            return inputs
        if torch.is_autocast_enabled(inputs.device.type):  # which would multiply pixels in half precision
            with torch.autocast(inputs.device.type, enabled=False):
                return self._resized(inputs.float())
        return self._resized(inputs)

    def _resized(self, inputs: Tensor) -> Tensor:
        found = self.rows @ inputs @ self.columns
        return torch.minimum(torch.maximum(found, self.black), self.white) if self.clamps else found


def resizing_matrices(size: Size, wanted: Size, interpolation: str) -> tuple[Tensor, Tensor]:
    """Return the matrices (H', H) and (W', W) that resize an image X as ``rows @ X @ columns.T``.

    Args:
        size: (H, W) of the images.
        wanted: (H', W').
        interpolation: As `zoo.data.Preparation` knows it, whose filters these are.
    """
    shrinks = wanted[0] < size[0] or wanted[1] < size[1]
    return _matrix(size[0], wanted[0], interpolation, shrinks), _matrix(size[1], wanted[1], interpolation, shrinks)


def _matrix(length: int, wanted: int, interpolation: str, shrinks: bool) -> Tensor:
    """Return what resizing along one side does, (wanted, length): the resized unit vectors."""
    unit = torch.eye(length).view(1, 1, length, length)
    return resized(unit, (wanted, length), interpolation, antialias=shrinks)[0, 0]
