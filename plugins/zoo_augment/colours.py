"""Changing light and colour.

Everything here is defined on normalised values, without the statistics that they were normalised by: 0 is the data's
mean and 1 its standard deviation, in each channel. Nothing is cut off at what was black or white.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from zoo_augment.ranges import within

if TYPE_CHECKING:
    from zoo import Draws

_LUMA = (0.299, 0.587, 0.114)
"""What red, green and blue count for in grey. Source: ITU-R BT.601."""


class Jitter:
    """Vary brightness, contrast and saturation of each image.

    On normalised values the three commute, so that they are one formula and have no order.

    Args:
        brightness: The most that is added to or taken from all values, in standard deviations of the data.
        contrast: Differences to the image's mean grey are multiplied by 1 - contrast to 1 + contrast.
        saturation: Differences to the pixel's grey are multiplied by 1 - saturation to 1 + saturation.
    """

    def __init__(self, brightness: float, contrast: float, saturation: float) -> None:
        self.brightness, self.contrast, self.saturation = brightness, contrast, saturation

    def __call__(self, inputs: Tensor, targets: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Map inputs (B, C, H, W) to inputs of the same shape; targets stay."""
        light, differences, colours = draws.uniform(3, 1, 1, 1).mul_(2).sub_(1).unbind(1)  # each (B, 1, 1, 1)
        contrast = 1 + differences * self.contrast
        saturation = 1 + colours * self.saturation
        grey = grey_of(inputs)
        shared = grey * (contrast * (1 - saturation)) + (image_mean(grey) * (1 - contrast) + light * self.brightness)
        return (inputs * (contrast * saturation) + shared).to(inputs.dtype), targets


class Three:
    """Change each image in one of three ways: to grey, solarised, or blurred.

    Args:
        probability: Of an image to be changed.
        sigma: The greatest standard deviation of the blur, in pixels.
    """

    def __init__(self, probability: float, sigma: float) -> None:
        self.probability = probability
        self.sigma = sigma

    def __call__(self, inputs: Tensor, targets: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Map inputs (B, C, H, W) to inputs of the same shape; targets stay."""
        chosen, way, width = draws.uniform(3, 1, 1, 1).unbind(1)  # each (B, 1, 1, 1)
        # Solarised at the data's mean: what is lighter is mirrored there.
        ways = (grey_of(inputs).to(inputs.dtype), -inputs.abs(), self._blurred(inputs, width))
        changed = torch.where(way < 1 / 3, ways[0], torch.where(way < 2 / 3, ways[1], ways[2]))
        return torch.where(chosen < self.probability, changed, inputs), targets

    def _blurred(self, inputs: Tensor, width: Tensor) -> Tensor:
        """Return images blurred by their *width* (B, 1, 1, 1), in [0, 1), on the way to the greatest sigma."""
        sigma = (width * self.sigma).clamp(min=0.1)  # at 0.1 the neighbours weigh nothing
        radius = math.ceil(3 * self.sigma)
        offset = torch.arange(-radius, radius + 1, device=inputs.device).view(1, -1, 1, 1)
        weights = torch.softmax(-0.5 * (offset / sigma).square(), dim=1).chunk(2 * radius + 1, dim=1)
        exact = inputs.to(torch.promote_types(inputs.dtype, torch.float32))
        padded = functional.pad(exact, (radius,) * 4, mode="replicate")
        down = _weighted(weights, [padded.narrow(2, start, inputs.shape[2]) for start in range(2 * radius + 1)])
        across = _weighted(weights, [down.narrow(3, start, inputs.shape[3]) for start in range(2 * radius + 1)])
        return across.to(inputs.dtype)


def grey_of(inputs: Tensor) -> Tensor:
    """Return the grey of each pixel, at least float32, (B, 1, H, W): of three channels by luma, else their mean."""
    channels = inputs.shape[1]
    weights = _LUMA if channels == len(_LUMA) else (1 / channels,) * channels
    exact = inputs.to(torch.promote_types(inputs.dtype, torch.float32))
    return _weighted(weights, exact.chunk(channels, dim=1))


def image_mean(grey: Tensor) -> Tensor:
    """Return the mean of each image, (B, 1, 1, 1), of grey (B, 1, H, W).

    ``Tensor.mean`` may add in another order in a batch of another size; pooling adds each row, then the rows, in one.
    """
    height, width = grey.shape[2:]
    return functional.avg_pool2d(functional.avg_pool2d(grey, (1, width)), (height, 1))


def _weighted(weights: Sequence[Tensor | float], parts: Sequence[Tensor]) -> Tensor:
    """Return the sum of *parts*, each times its weight, added in their order."""
    total = parts[0] * weights[0]
    for weight, part in zip(weights[1:], parts[1:], strict=True):
        total.add_(part * weight)
    return total


def jitter(*, brightness: float = 0.4, contrast: float = 0.4, saturation: float = 0.4) -> Jitter:
    """Build an augmentation that varies brightness, contrast and saturation.

    Args:
        brightness: The most that is added to or taken from all values of an image, in standard deviations of the
            data; from 0 to 10.
        contrast: Differences to the image's mean grey are multiplied by 1 - contrast to 1 + contrast; from 0 to 1.
        saturation: Differences to the pixel's own grey are multiplied by 1 - saturation to 1 + saturation; from 0 to
            1. Grey images have none.

    Raises:
        ValueError: If an option is out of range.

    Source: Howard 2013, "Some Improvements on Deep Convolutional Neural Network Based Image Classification". Defined
        on normalised values, where contrast and saturation are what they are on pixels if all channels were
        normalised alike; brightness is added, as multiplying would need to know what black is; nothing is cut off.
    """
    return Jitter(
        within("brightness", brightness, 0, 10),
        within("contrast", contrast, 0, 1),
        within("saturation", saturation, 0, 1),
    )


def three(*, probability: float = 1.0, sigma: float = 2.0) -> Three:
    """Build an augmentation that makes an image grey, solarises or blurs it, each as likely.

    Args:
        probability: Of an image to be changed, in [0, 1]. Grey images stay as they are in a third of the cases.
        sigma: The greatest standard deviation of the blur, in pixels; from 0 to 10.

    Raises:
        ValueError: If an option is out of range.

    Source: Touvron et al. 2022, "DeiT III", whose 3-Augment this is without its colour jitter, for which there is
        ``jitter``. Defined on normalised values: values above the data's mean are mirrored there, and grey has the
        mean's tint.
    """
    return Three(within("probability", probability, 0, 1), within("sigma", sigma, 0, 10))
