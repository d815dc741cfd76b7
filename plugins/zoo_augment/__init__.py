"""Augmentations: random changes to training images, a batch at a time on the device.

What they do to a sample depends on (seed, epoch, sample index) alone. Lengths are in pixels of the inputs, shades in
normalised units, where 0 is the data's mean.
"""

from __future__ import annotations

import zoo

_ENTRIES = (
    ("shift", "warping:shift", "Move by whole pixels, up, down and sideways."),
    ("rotation", "warping:rotation", "Turn about the centre."),
    ("scale", "warping:scale", "Enlarge or shrink about the centre."),
    ("elastic", "warping:elastic", "Bend smoothly, as handwriting varies."),
    ("warp", "warping:warp", "Shift, rotation, scale, shear and elastic in one resampling, which blurs once."),
    ("flip", "flipping:flip", "Mirror left and right; not for digits or letters."),
    ("crop", "cropping:crop", "Enlarge a random part to the whole; for photographs."),
    ("jitter", "colours:jitter", "Vary brightness, contrast and saturation; for photographs."),
    ("three", "colours:three", "Take the colours, solarise or blur, one of them for each image; for photographs."),
    ("trivial", "policies:trivial", "Change each image in one of 14 ways, at any strength; for photographs."),
    ("rand", "policies:rand", "Change each image in two of 14 ways, at one strength; for photographs."),
    ("erasing", "erasing:erasing", "Blank out a rectangle."),
    ("mixup", "mixing:mixup", "Blend with another image and its label; soft targets."),
    ("cutmix", "mixing:cutmix", "Paste a rectangle of another image, and its share of the label; soft targets."),
)


@zoo.hookimpl
def register(add: zoo.Add) -> None:
    """Register every augmentation of this package."""
    for name, place, summary in _ENTRIES:
        add.augmentation(name, f"zoo_augment.{place}", summary=summary)
