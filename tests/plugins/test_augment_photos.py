"""The augmentations of zoo_augment for photographs: crop, jitter and three."""

from __future__ import annotations

import inspect

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as reference
from zoo_augment.colours import Jitter, Three, grey_of, image_mean, jitter, three
from zoo_augment.cropping import Crop, crop
from zoo_augment.policies import rand, trivial

from zoo.data.augmentation import Augmenter, Draws

BUILDERS = (crop, jitter, three, trivial, rand)
LABELS = torch.zeros(1, dtype=torch.int64)
HALF, MOST = 0.5, 1.0 - 2.0**-24


def photos(count: int, channels: int = 3, size: tuple[int, int] = (20, 30)) -> Tensor:
    """Noise, normalised, (count, channels, *size)."""
    return torch.randn(count, channels, *size, generator=torch.Generator().manual_seed(0))


class Fixed:
    """Draws whose numbers are given, the same for each sample."""

    def __init__(self, *numbers: float) -> None:
        self.numbers = torch.tensor([numbers])

    def uniform(self, *shape: int) -> Tensor:
        return self.numbers.view(1, *shape)


def built(builder, inputs: Tensor):
    """Build it for these inputs, with what it asks for."""
    channels, *size = inputs.shape[1:]
    facts = {"image_size": tuple(size), "pixel_mean": (0.5,) * channels, "pixel_std": (0.25,) * channels}
    wanted = inspect.signature(builder).parameters
    return builder(**{name: fact for name, fact in facts.items() if name in wanted})


def changed(augmentation, inputs: Tensor, *numbers: float) -> Tensor:
    return augmentation(inputs, LABELS, Fixed(*numbers))[0]


def augmented(augmentation, inputs: Tensor, indices: Tensor) -> Tensor:
    def fetch(indices):
        return inputs[indices], indices

    return Augmenter([augmentation], seed=0, num_samples=len(inputs), fetch=lambda _, some: fetch(some))(
        *fetch(indices), 0, indices
    )[0]


@pytest.mark.parametrize("builder", BUILDERS, ids=lambda b: b.__name__)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_large_photo_is_changed_alike_in_any_batch(builder, layout, threads):
    """More pixels than torch gives one thread: the sums over a photo have one order in each batch."""
    inputs = photos(3, size=(200, 180)).contiguous(memory_format=layout)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        augmentation = built(builder, inputs)
        whole = augmented(augmentation, inputs, torch.arange(3))
        alone = torch.cat([augmented(augmentation, inputs, torch.tensor([index])) for index in range(3)])
    finally:
        torch.set_num_threads(before)
    assert torch.equal(whole, alone)


@pytest.mark.parametrize("builder", BUILDERS, ids=lambda b: b.__name__)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 7), (1, 33, 2), (4, 5, 5)])
def test_any_size_any_number_of_channels_and_any_type(builder, dtype, shape):
    """One pixel, one row, grey and four channels come back with their shape, type and layout, and finite."""
    channels, *size = shape
    inputs = photos(6, channels, tuple(size)).to(dtype, memory_format=torch.channels_last)
    result = augmented(built(builder, inputs), inputs, torch.arange(6))
    assert result.shape == inputs.shape
    assert result.dtype == dtype
    assert result.stride() == inputs.stride()
    assert result.isfinite().all()


@pytest.mark.parametrize(
    "augmentation",
    [
        crop(smallest=1.0, aspect=1.0),
        jitter(brightness=0.0, contrast=0.0, saturation=0.0),
        three(probability=0.0),
    ],
    ids=["crop", "jitter", "three"],
)
def test_an_amount_of_zero_changes_nothing(augmentation):
    """At the mild end of its options an augmentation is the identity, in a square photo for crop."""
    inputs = photos(8, size=(24, 24))
    torch.testing.assert_close(augmented(augmentation, inputs, torch.arange(8)), inputs, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("builder", "option", "value", "message"),
    [
        (crop, "smallest", 0.0, "smallest must be from 0.01 to 1, not 0.0"),
        (crop, "largest", 0.05, "largest must be from 0.08 to 1, not 0.05"),
        (crop, "aspect", 0.5, "aspect must be from 1 to 10, not 0.5"),
        (jitter, "brightness", -0.1, "brightness must be from 0 to 10, not -0.1"),
        (jitter, "contrast", 1.1, "contrast must be from 0 to 1, not 1.1"),
        (jitter, "saturation", float("nan"), "saturation must be from 0 to 1, not nan"),
        (three, "probability", 2.0, "probability must be from 0 to 1, not 2.0"),
        (three, "sigma", 11.0, "sigma must be from 0 to 10, not 11.0"),
    ],
)
def test_an_option_out_of_range_is_refused(builder, option, value, message):
    """The message names the option, its range and what was given."""
    with pytest.raises(ValueError, match=message):
        builder(**{option: value})


@pytest.mark.parametrize(("down", "right"), [(0.0, 0.0), (HALF, HALF), (1.0, 0.0)])
def test_crop_is_torchvisions_resized_crop(down, right):
    """A part of half the height and width is what cropping and resizing give, but for the part's own edge."""
    inputs = photos(2, size=(16, 32))
    # 128 pixels; a quarter of the way from an aspect of 1/4 to 4 is 1/2: 8 by 16.
    part = changed(Crop(0.25, 0.25, 4.0), inputs, 0.0, 0.25, down, right)
    expected = reference.resized_crop(inputs, int(down * 8), int(right * 16), 8, 16, [16, 32], antialias=True)
    torch.testing.assert_close(part[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1], rtol=0, atol=1e-5)


def test_crop_takes_parts_of_the_stated_area_and_aspect_that_lie_in_the_photo():
    """A photo of its own coordinates shows which part was taken: shares and aspects fill their ranges, evenly."""
    size, count = (64, 64), 2000
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    draws = Draws("crop", torch.arange(count), "cpu", lambda indices: (indices, indices))
    inputs = torch.stack([y, x]).expand(count, -1, -1, -1).contiguous()
    places, _ = crop(smallest=0.2, largest=0.6, aspect=1.5)(inputs, torch.zeros(count), draws)
    # Steps between pixels in the middle are free of the edge.
    height = (places[:, 0, 40, 32] - places[:, 0, 24, 32]) * size[0] / 16
    width = (places[:, 1, 32, 40] - places[:, 1, 32, 24]) * size[1] / 16
    share, aspect = height * width / 64**2, height / width
    assert 0.2 - 1e-3 <= share.min() < 0.21
    assert 0.59 < share.max() <= 0.6 + 1e-3
    assert share.mean().item() == pytest.approx(0.4, abs=0.015)
    assert 1 / 1.5 - 1e-3 <= aspect.min() < 0.68
    assert 1.48 < aspect.max() <= 1.5 + 1e-3
    assert aspect.log().mean().item() == pytest.approx(0.0, abs=0.03)
    assert places.min() >= 0
    assert places.max() <= 63
    middle = places[:, :, 31:33, 31:33].mean((0, 2, 3))
    torch.testing.assert_close(middle, torch.full((2,), 31.5), rtol=0, atol=1.0)


def test_crop_cuts_sides_that_would_not_fit():
    """A tall part of a wide photo has the photo's height, and no pixel comes from outside."""
    rows = torch.arange(10.0).view(1, 1, 10, 1).expand(1, 1, 10, 40).contiguous()
    part = changed(Crop(1.0, 1.0, 10.0), rows, 0.0, MOST, 0.3, 0.3)
    torch.testing.assert_close(part, rows, rtol=0, atol=1e-4)


def test_crop_in_half_precision_is_off_by_rounding_alone():
    """Positions are kept in single precision: a wide photo's columns are not moved."""
    inputs = torch.linspace(0, 1, 600).view(1, 1, 1, 600).expand(1, 1, 8, 600).contiguous()
    numbers = (0.3, 0.4, 0.5, 0.7)
    single = changed(crop(), inputs, *numbers)
    torch.testing.assert_close(changed(crop(), inputs.bfloat16(), *numbers).float(), single, rtol=0, atol=4e-3)


@pytest.mark.parametrize("number", [0.0, 0.3, HALF, MOST])
def test_contrast_and_saturation_are_torchvisions_where_channels_are_normalised_alike(number):
    """On pixels minus 0.5, over 0.25, the results are torchvision's on the pixels, where that cuts nothing off."""
    pixels = 0.5 + 0.1 * photos(1).clamp(-2, 2)
    inputs, factor = (pixels - 0.5) / 0.25, 1 + 0.8 * (2 * number - 1)
    contrast = changed(Jitter(0.0, 0.8, 0.0), inputs, HALF, number, HALF)
    saturation = changed(Jitter(0.0, 0.0, 0.8), inputs, HALF, HALF, number)
    for ours, theirs in (
        (contrast, reference.adjust_contrast(pixels, factor)),
        (saturation, reference.adjust_saturation(pixels, factor)),
    ):
        # Their weights of red, green and blue add up to 0.9999.
        torch.testing.assert_close(ours * 0.25 + 0.5, theirs, rtol=0, atol=2e-4)


def test_brightness_adds_the_same_to_all_values():
    """The extremes are plus and minus the option, in normalised units."""
    inputs = photos(1)
    for number, added in ((0.0, -0.7), (HALF, 0.0), (MOST, 0.7)):
        torch.testing.assert_close(changed(jitter(brightness=0.7), inputs, number, HALF, HALF), inputs + added)


def test_without_contrast_a_photo_is_its_mean_grey_and_without_saturation_its_grey():
    """The lower extremes: one value for all pixels, and equal channels."""
    inputs = photos(1)
    flat = changed(jitter(contrast=1.0), inputs, HALF, 0.0, HALF)
    torch.testing.assert_close(flat, image_mean(grey_of(inputs)).expand_as(flat))
    torch.testing.assert_close(image_mean(grey_of(inputs)), grey_of(inputs).mean((2, 3), keepdim=True))
    grey = changed(jitter(saturation=1.0), inputs, HALF, HALF, 0.0)
    torch.testing.assert_close(grey, grey_of(inputs).expand_as(grey))


def test_grey_photos_have_no_saturation():
    """One channel, and three that are equal, stay as they are."""
    for inputs in (photos(1, 1), photos(1, 1).expand(-1, 3, -1, -1).contiguous()):
        torch.testing.assert_close(changed(jitter(), inputs, HALF, HALF, 0.1), inputs)


GREY, SOLARISED, BLURRED = 0.1, 0.5, 0.9


def test_three_makes_a_photo_grey():
    """Equal channels, which are torchvision's grey but for the fourth digit of its weights."""
    inputs = photos(1)
    grey = changed(three(), inputs, 0.0, GREY, HALF)
    torch.testing.assert_close(grey, reference.rgb_to_grayscale(inputs, 3), rtol=0, atol=1e-3)


def test_three_solarises_at_the_datas_mean():
    """It is torchvision's solarize with a threshold of a half, for a mean of a half."""
    inputs = photos(1).clamp(-2, 2)
    pixels = inputs / 4 + 0.5
    solarised = changed(three(), inputs, 0.0, SOLARISED, HALF)
    torch.testing.assert_close(solarised / 4 + 0.5, reference.solarize(pixels, 0.5))


@pytest.mark.parametrize("width", [0.25, HALF, 0.999])
def test_three_blurs_as_torchvision_does(width):
    """Away from the edge, where the filling differs, the blur is a Gaussian of the drawn sigma."""
    inputs = photos(1)
    blurred = changed(three(sigma=2.0), inputs, 0.0, BLURRED, width)
    expected = reference.gaussian_blur(inputs, [13, 13], [2.0 * width] * 2)
    torch.testing.assert_close(blurred[..., 6:-6, 6:-6], expected[..., 6:-6, 6:-6], rtol=0, atol=1e-5)


def test_three_without_blur_leaves_those_photos():
    """The least sigma, drawn or chosen, changes nothing."""
    inputs = photos(1)
    torch.testing.assert_close(changed(three(), inputs, 0.0, BLURRED, 0.0), inputs)
    torch.testing.assert_close(changed(three(sigma=0.0), inputs, 0.0, BLURRED, 0.9), inputs)


def test_three_chooses_each_way_as_often():
    """Of 900 photos about 100 stay, where a third is changed in each of three ways with probability 8/9."""
    inputs = photos(1, size=(4, 4)).expand(900, -1, -1, -1).contiguous()
    draws = Draws("three", torch.arange(900), "cpu", lambda indices: (indices, indices))
    result, _ = Three(8 / 9, 2.0)(inputs, torch.zeros(900), draws)
    grey = (result[:, :1] == result).flatten(1).all(1)
    solarised = (result == -inputs.abs()).flatten(1).all(1)
    kept = (result == inputs).flatten(1).all(1)
    assert not (grey & solarised).any()
    counts = [grey.sum().item(), solarised.sum().item(), kept.sum().item()]
    assert counts == pytest.approx([267, 267, 100], abs=70)
    assert 900 - sum(counts) == pytest.approx(267, abs=70)
