"""Moving, turning, enlarging and bending images by resampling them once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from zoo_augment.ranges import one_of, within

if TYPE_CHECKING:
    from zoo import Draws

FILLS = ("edge", "dark", "mean", "reflect")
_PADDING = {"edge": "border", "dark": "zeros", "mean": "zeros", "reflect": "reflection"}


class Shift:
    """Move images by whole pixels, which blurs nothing.

    Args:
        pixels: The most in each direction.
        fill: What comes in from outside, one of `FILLS`.
    """

    def __init__(self, pixels: int, fill: str) -> None:
        self.pixels = pixels
        self.fill = fill

    def __call__(self, inputs: Tensor, targets: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Map inputs (B, C, H, W) to inputs of the same shape; targets stay."""
        moves = draws.integers(2 * self.pixels + 1, 2, 1, 1).sub_(self.pixels)  # (B, 2, 1, 1)
        rows, columns = positions(inputs)
        return resample(inputs, rows + moves[:, 0], columns + moves[:, 1], self.fill, mode="nearest"), targets

    def views(self, inputs: Tensor) -> list[Tensor]:
        """Return inputs (B, C, H, W) as they are and moved by one pixel up, down, left and right."""
        return _moved(inputs, ((1, 0), (-1, 0), (0, 1), (0, -1)), self.fill, mode="nearest")


class Warp:
    """Shift, turn, scale, shear and bend images in one bilinear resampling.

    Args:
        shift: The most pixels in each direction.
        rotation: The most degrees, either way.
        scale: The most that is added to the size 1; shrinking goes to its reciprocal.
        shear: The most degrees by which upright lines lean, either way.
        elastic: The most pixels by which a control point of the bending is moved in each direction.
        points: Control points along each side.
        fill: What comes in from outside, one of `FILLS`.
    """

    def __init__(
        self,
        *,
        shift: float = 0.0,
        rotation: float = 0.0,
        scale: float = 0.0,
        shear: float = 0.0,
        elastic: float = 0.0,
        points: int = 4,
        fill: str = "edge",
    ) -> None:
        self.shift = shift
        self.rotation = math.radians(rotation)
        self.log_scale = math.log1p(scale)
        self.shear = math.radians(shear)
        self.elastic = elastic
        self.points = points
        self.fill = fill

    def __call__(self, inputs: Tensor, targets: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Map inputs (B, C, H, W) to inputs of the same shape; targets stay."""
        down, right, angle, size, lean = draws.uniform(5, 1, 1).mul_(2).sub_(1).unbind(1)  # each (B, 1, 1)
        angle, zoom, lean = angle * self.rotation, torch.exp(-size * self.log_scale), lean * self.shear
        rows, columns = positions(inputs)
        # Each output pixel looks up its source: turned, zoomed, and moved sideways by its height times tan(lean).
        cosine, sine, tangent = zoom * torch.cos(angle), zoom * torch.sin(angle), torch.tan(lean)
        y = columns * sine + (rows * (cosine + sine * tangent) + down * self.shift)  # (B, H, W)
        x = columns * cosine + (rows * (cosine * tangent - sine) + right * self.shift)
        if self.elastic:
            bend = self._bend(draws, inputs.shape[2:])
            y, x = y + bend[:, 0], x + bend[:, 1]
        return resample(inputs, y, x, self.fill, mode="bilinear"), targets

    def views(self, inputs: Tensor) -> list[Tensor]:
        """Return inputs (B, C, H, W) as they are, and moved by half a pixel to the four corners.

        Those four are as blurred by their resampling as images in training were.
        """
        return _moved(inputs, ((0.5, 0.5), (0.5, -0.5), (-0.5, 0.5), (-0.5, -0.5)), self.fill, mode="bilinear")

    def _bend(self, draws: Draws, size: torch.Size) -> Tensor:
        """Return a smooth displacement in pixels, float32 (B, 2, H, W)."""
        moves = draws.uniform(2, self.points, self.points).mul_(2).sub_(1).mul_(self.elastic)
        rows, columns = (_bicubic(self.points, length, draws.device) for length in size)
        return _weighted_sum(_weighted_sum(moves.unbind(3), columns, axis=3).unbind(2), rows, axis=2)


def _weighted_sum(parts: Sequence[Tensor], weights: Tensor, *, axis: int) -> Tensor:
    """Return the sum of each part times its row of *weights*, laid along a new *axis*.

    A matrix product would be shorter, but the order in which it adds may depend on the size of the batch.
    """
    shape = (-1,) + (1,) * (3 - axis)
    total: Tensor = parts[0].unsqueeze(axis) * weights[0].view(shape)
    for part, weight in zip(parts[1:], weights[1:], strict=True):
        total.add_(part.unsqueeze(axis) * weight.view(shape))
    return total


def _bicubic(points: int, length: int, device: torch.device) -> Tensor:
    """Return how much each of *points*, first and last at the ends, counts at each pixel: float32 (points, length)."""
    unit = torch.eye(points, device=device).view(1, points, 1, points)
    weights: Tensor = functional.interpolate(unit, (1, length), mode="bicubic", align_corners=True)
    return weights.view(points, length)


def positions(inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Return the pixels' rows, float32 (1, H, 1), and columns, (1, 1, W), counted from the image's centre."""
    rows, columns = (
        torch.arange(length, dtype=torch.float32, device=inputs.device) - (length - 1) / 2
        for length in inputs.shape[2:]
    )
    return rows.view(1, -1, 1), columns.view(1, 1, -1)


def resample(inputs: Tensor, y: Tensor, x: Tensor, fill: str, *, mode: str) -> Tensor:
    """Return each pixel from another position of its image.

    Args:
        inputs: (B, C, H, W), floating.
        y: Source rows, counted from the image's centre, float32, broadcastable to (B, H, W).
        x: Source columns, as *y*.
        fill: What lies outside the image, one of `FILLS`.
        mode: ``"bilinear"`` or ``"nearest"``.

    Returns:
        (B, C, H, W), as *inputs*.
    """
    batch, _, height, width = inputs.shape
    # Positions in half precision would be off by whole pixels, and the grid's type must be the images'.
    exact = inputs.to(torch.promote_types(inputs.dtype, torch.float32))
    grid = exact.new_empty(batch, height, width, 2)  # torch.stack takes three times as long
    grid[..., 0] = x * (2 / width)
    grid[..., 1] = y * (2 / height)
    outside = exact.amin((2, 3), keepdim=True) if fill == "dark" else 0.0
    moved = functional.grid_sample(
        exact - outside if fill == "dark" else exact,
        grid,
        mode=mode,
        padding_mode=_PADDING[fill],
        align_corners=False,
    )
    return (moved + outside if fill == "dark" else moved).to(inputs.dtype)


def _moved(inputs: Tensor, moves: Sequence[tuple[float, float]], fill: str, *, mode: str) -> list[Tensor]:
    """Return inputs (B, C, H, W) as they are, and with their source moved by each (rows, columns)."""
    rows, columns = positions(inputs)
    return [inputs, *(resample(inputs, rows + y, columns + x, fill, mode=mode) for y, x in moves)]


def shift(*, image_size: tuple[int, int], pixels: int = 2, fill: str = "edge") -> Shift:
    """Build an augmentation that moves images by whole pixels.

    Args:
        image_size: (H, W).
        pixels: The most in each direction, from 0 to below the image's shorter side.
        fill: What comes in from outside: ``"edge"``, the nearest pixel of the edge; ``"dark"``, the image's lowest
            value; ``"mean"``, the data's mean; ``"reflect"``, the image mirrored at its edge.

    Raises:
        ValueError: If an option is out of range.
    """
    within("pixels", pixels, 0, min(image_size) - 1)
    return Shift(pixels, one_of("fill", fill, FILLS))


def rotation(*, degrees: float = 10.0, fill: str = "edge") -> Warp:
    """Build an augmentation that turns images about their centre.

    Args:
        degrees: The most, either way, from 0 to 180.
        fill: What comes in from outside, as for ``shift``.

    Raises:
        ValueError: If an option is out of range.
    """
    return Warp(rotation=within("degrees", degrees, 0, 180), fill=one_of("fill", fill, FILLS))


def scale(*, amount: float = 0.1, fill: str = "edge") -> Warp:
    """Build an augmentation that enlarges or shrinks images about their centre.

    Args:
        amount: From 0 to 1. 0.1: sizes from 1/1.1 to 1.1, evenly on a logarithmic scale.
        fill: What comes in from outside, as for ``shift``.

    Raises:
        ValueError: If an option is out of range.
    """
    return Warp(scale=within("amount", amount, 0, 1), fill=one_of("fill", fill, FILLS))


def elastic(*, pixels: float = 1.5, points: int = 4, fill: str = "edge") -> Warp:
    """Build an augmentation that bends images smoothly.

    Args:
        pixels: The most by which a control point moves in each direction, at least 0.
        points: Control points along each side, from 2 to 32; more make finer ripples.
        fill: What comes in from outside, as for ``shift``.

    Raises:
        ValueError: If an option is out of range.

    Source: Simard et al. 2003's elastic distortion, with Ronneberger et al. 2015's field: random moves on a coarse
        grid, bicubic between, in place of Gaussian smoothing of a move for each pixel.
    """
    within("pixels", pixels, 0, math.inf)
    within("points", points, 2, 32)
    return Warp(elastic=pixels, points=points, fill=one_of("fill", fill, FILLS))


def warp(
    *,
    image_size: tuple[int, int],
    shift: float = 2.0,
    rotation: float = 10.0,
    scale: float = 0.1,
    shear: float = 0.0,
    elastic: float = 0.0,
    points: int = 4,
    fill: str = "edge",
) -> Warp:
    """Build an augmentation that joins the geometric ones, so that images are resampled, and blurred, only once.

    Args:
        image_size: (H, W).
        shift: The most pixels in each direction, from 0 to below the image's shorter side.
        rotation: The most degrees about the centre, from 0 to 180.
        scale: From 0 to 1. 0.1: sizes from 1/1.1 to 1.1, evenly on a logarithmic scale.
        shear: The most degrees by which upright lines lean, from 0 to 60.
        elastic: The most pixels by which a control point of a smooth bending moves in each direction, at least 0.
        points: Control points along each side, from 2 to 32.
        fill: What comes in from outside, as for ``shift``.

    Raises:
        ValueError: If an option is out of range.
    """
    return Warp(
        shift=within("shift", shift, 0, min(image_size) - 1),
        rotation=within("rotation", rotation, 0, 180),
        scale=within("scale", scale, 0, 1),
        shear=within("shear", shear, 0, 60),
        elastic=within("elastic", elastic, 0, math.inf),
        points=int(within("points", points, 2, 32)),
        fill=one_of("fill", fill, FILLS),
    )
