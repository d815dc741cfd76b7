"""Single changes to pictures, those that AutoAugment began with: each by a strength of the sample's own.

Pixels are float32 (B, C, H, W), black 0 and white 1; strengths are float32 (B, 1, 1, 1). Nothing is drawn here, and no
sample depends on another one.
"""

from __future__ import annotations

import torch
from torch import Tensor

from zoo_augment.colours import grey_of, image_mean
from zoo_augment.warping import positions, resample

_LEVELS = 256  # of brightness, in a histogram


def moved(pixels: Tensor, fill: str, **amounts: Tensor) -> Tensor:
    """Shear, move or turn about the centre, resampled once, bilinearly.

    Args:
        pixels: As above, but 0 is what ``fill="mean"`` puts outside the picture.
        fill: What comes in from outside, one of `zoo_augment.warping.FILLS`.
        amounts: ``shear_x`` and ``shear_y``, tangents; ``translate_x`` and ``translate_y``, pixels; ``rotate``, in
            radians, counter-clockwise. Those that are left out are 0.
    """
    rows, columns = positions(pixels)
    flat = {name: amount.view(-1, 1, 1) for name, amount in amounts.items()}
    zero = torch.zeros(len(pixels), 1, 1, device=pixels.device)
    angle = flat.get("rotate", zero)
    # Each pixel of the result looks up where it comes from.
    x = columns * angle.cos() - rows * angle.sin()
    y = columns * angle.sin() + rows * angle.cos()
    x = x + flat.get("shear_x", zero) * rows - flat.get("translate_x", zero)
    y = y + flat.get("shear_y", zero) * columns - flat.get("translate_y", zero)
    return resample(pixels, y, x, fill, mode="bilinear")


def brightness(pixels: Tensor, factor: Tensor) -> Tensor:
    """Multiply all values; 0 is black."""
    return (pixels * factor).clamp_(0, 1)


def colour(pixels: Tensor, factor: Tensor) -> Tensor:
    """Multiply differences to each pixel's grey; 0 is grey."""
    return _blended(pixels, grey_of(pixels), factor)


def contrast(pixels: Tensor, factor: Tensor) -> Tensor:
    """Multiply differences to the picture's mean grey; 0 is that grey alone."""
    return _blended(pixels, image_mean(grey_of(pixels)), factor)


def sharpness(pixels: Tensor, factor: Tensor) -> Tensor:
    """Multiply differences to a smoothed picture, whose outermost pixels are its own; 0 is smooth."""
    height, width = pixels.shape[2:]
    if min(height, width) < 3:
        return pixels
    smooth = pixels.clone()
    # One after the other: a convolution may add in another order in a batch of another size.
    total = pixels[..., 1:-1, 1:-1] * 4
    for down in range(3):
        for right in range(3):
            total = total + pixels[..., down : height - 2 + down, right : width - 2 + right]
    smooth[..., 1:-1, 1:-1] = total / 13
    return _blended(pixels, smooth, factor)


def posterize(pixels: Tensor, bits: Tensor) -> Tensor:
    """Keep the first *bits* of each value; they may be fewer than 8 by any whole number."""
    levels = torch.exp2(bits)
    return (pixels * levels).floor_().minimum(levels - 1).clamp_(min=0) / levels


def solarize(pixels: Tensor, threshold: Tensor) -> Tensor:
    """Invert values from a threshold on."""
    return torch.where(pixels >= threshold, 1 - pixels, pixels)


def autocontrast(pixels: Tensor) -> Tensor:
    """Stretch each channel so that it goes from black to white; a channel of one value stays."""
    low, high = pixels.amin((2, 3), keepdim=True), pixels.amax((2, 3), keepdim=True)
    flat = low == high
    return torch.where(flat, pixels, ((pixels - low) / torch.where(flat, 1.0, high - low)).clamp_(0, 1))


def equalize(pixels: Tensor) -> Tensor:
    """Give each channel a histogram that is as level as can be, in 256 levels."""
    levels = (pixels * (_LEVELS - 1)).round_().clamp_(0, _LEVELS - 1).long().flatten(2)  # (B, C, H * W)
    counts = levels.new_zeros(*levels.shape[:2], _LEVELS).scatter_add_(2, levels, torch.ones_like(levels))
    upto = counts.cumsum(2)
    total = levels.shape[2]
    below_last = torch.where(upto < total, upto, 0).amax(2, keepdim=True)  # pixels darker than the lightest
    step = below_last // (_LEVELS - 1)
    darker = upto - counts
    table = ((darker + step // 2) // step.clamp(min=1)).clamp_(0, _LEVELS - 1)
    equal = (table.gather(2, levels).float() / (_LEVELS - 1)).view_as(pixels)
    return torch.where(step.unsqueeze(3) == 0, pixels, equal)


def _blended(pixels: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    """Return *pixels* times *factor* and *other* times the rest, cut off at black and white."""
    return (pixels * factor + other * (1 - factor)).clamp_(0, 1)
