"""The augmentations of zoo_augment."""

from __future__ import annotations

import inspect

import pytest
import torch
import zoo_augment
from torch import Tensor, nn
from zoo_augment.boxes import box_mask
from zoo_augment.colours import jitter, three
from zoo_augment.cropping import crop
from zoo_augment.erasing import erasing
from zoo_augment.flipping import flip
from zoo_augment.mixing import cutmix, kept_share, mixup
from zoo_augment.policies import rand, trivial
from zoo_augment.warping import FILLS, Warp, elastic, resample, rotation, scale, shift, warp

from zoo.data.augmentation import Augmenter, Draws

SIZE = (12, 14)
FACTS = {
    "num_classes": 5,
    "in_channels": 2,
    "image_size": SIZE,
    "pixel_mean": (0.4, 0.5),
    "pixel_std": (0.2, 0.25),
}
BUILDERS = (shift, rotation, scale, elastic, warp, flip, crop, jitter, three, trivial, rand, erasing, mixup, cutmix)
SAMPLES = 60


def images(indices: Tensor) -> Tensor:
    """One fixed noisy image (2, 12, 14) for each index."""
    return Draws("images", indices, "cpu", no_partners).normal(2, *SIZE)


def fetch(indices: Tensor) -> tuple[Tensor, Tensor]:
    return images(indices), indices % 5


def no_partners(indices: Tensor) -> tuple[Tensor, Tensor]:
    raise AssertionError(f"partners of {indices} were asked for")


def draws(count: int, key: str = "key") -> Draws:
    return Draws(key, torch.arange(count), "cpu", no_partners)


def build(builder, **options):
    wanted = inspect.signature(builder).parameters
    return builder(**{name: fact for name, fact in FACTS.items() if name in wanted}, **options)


def augmented(augmentation, indices: Tensor, epoch: int = 0, given=fetch) -> tuple[Tensor, Tensor]:
    augmenter = Augmenter([augmentation], seed=0, num_samples=SAMPLES, fetch=lambda _, indices: given(indices))
    return augmenter(*given(indices), epoch, indices)


@pytest.mark.parametrize("builder", BUILDERS, ids=lambda b: b.__name__)
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7])
def test_the_rest_of_the_batch_changes_no_bit(builder, size):
    """Lessons rows 21 and 29: batches of 1 to 7 work, and a sample looks the same in each."""
    order = torch.randperm(42, generator=torch.Generator().manual_seed(0))
    augmentation = build(builder)
    whole = augmented(augmentation, order)
    parts = [augmented(augmentation, part) for part in order.split(size)]
    for one, others in zip(whole, zip(*parts, strict=True), strict=True):
        assert torch.equal(one, torch.cat(others))


@pytest.mark.parametrize("builder", BUILDERS, ids=lambda b: b.__name__)
def test_every_augmentation_does_something_and_something_else_each_epoch(builder):
    """Most images change, and another epoch changes them in another way; the given batch stays as it is."""
    indices = torch.arange(SAMPLES)
    inputs, targets = fetch(indices)
    kept = inputs.clone()
    augmenter = Augmenter([build(builder)], seed=0, num_samples=SAMPLES, fetch=lambda _, indices: fetch(indices))
    first, second = (augmenter(inputs, targets, epoch, indices)[0] for epoch in (0, 1))
    assert torch.equal(inputs, kept)
    assert (first != inputs).flatten(1).any(1).double().mean() > 0.3
    assert (first != second).flatten(1).any(1).double().mean() > 0.4
    assert first.isfinite().all()


@pytest.mark.parametrize("builder", BUILDERS, ids=lambda b: b.__name__)
def test_only_mixing_makes_soft_targets_and_says_so(builder):
    """The attribute that zoo reads is right for each augmentation."""
    augmentation = build(builder)
    _, targets = augmented(augmentation, torch.arange(4))
    assert (targets.ndim == 2) == getattr(augmentation, "soft_targets", False) == (builder in (mixup, cutmix))


@pytest.mark.parametrize("builder", BUILDERS, ids=lambda b: b.__name__)
def test_half_precision_and_channels_last_are_kept(builder):
    """bfloat16 comes back as bfloat16, in the layout that was given."""

    def half(indices):
        inputs, targets = fetch(indices)
        return inputs.to(torch.bfloat16, memory_format=torch.channels_last), targets

    inputs, _ = augmented(build(builder), torch.arange(3), given=half)
    assert inputs.dtype == torch.bfloat16
    assert inputs.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("builder", "options"),
    [
        (shift, {"pixels": 0}),
        (rotation, {"degrees": 0.0}),
        (scale, {"amount": 0.0}),
        (elastic, {"pixels": 0.0}),
        (flip, {"probability": 0.0}),
        (erasing, {"probability": 0.0}),
        (erasing, {"smallest": 0.0, "largest": 0.0}),
        (mixup, {"probability": 0.0}),
        (cutmix, {"probability": 0.0}),
    ],
    ids=lambda value: getattr(value, "__name__", None) or str(value),
)
def test_an_amount_of_zero_changes_nothing(builder, options):
    """At the lower end of its range an augmentation is the identity."""
    indices = torch.arange(8)
    inputs, _ = augmented(build(builder, **options), indices)
    torch.testing.assert_close(inputs, images(indices), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("builder", "option", "value", "message"),
    [
        (shift, "pixels", -1, "pixels must be from 0 to 11, not -1"),
        (shift, "pixels", 12, "pixels must be from 0 to 11, not 12"),
        (shift, "fill", "black", "fill must be one of edge, dark, mean, reflect, not 'black'"),
        (rotation, "degrees", 181.0, "degrees must be from 0 to 180"),
        (scale, "amount", 1.5, "amount must be from 0 to 1"),
        (elastic, "pixels", -1.0, "pixels must be at least 0, not -1.0"),
        (elastic, "points", 1, "points must be from 2 to 32"),
        (warp, "shift", 12.0, "shift must be from 0 to 11"),
        (warp, "rotation", float("nan"), "rotation must be from 0 to 180, not nan"),
        (warp, "scale", -0.1, "scale must be from 0 to 1"),
        (warp, "shear", 61.0, "shear must be from 0 to 60"),
        (warp, "elastic", -1.0, "elastic must be at least 0"),
        (warp, "points", 33, "points must be from 2 to 32"),
        (flip, "probability", 1.1, "probability must be from 0 to 1"),
        (erasing, "probability", -0.5, "probability must be from 0 to 1"),
        (erasing, "largest", 0.01, "largest must be from 0.02 to 1, not 0.01"),
        (erasing, "smallest", 1.5, "smallest must be from 0 to 1"),
        (erasing, "aspect", 0.5, "aspect must be from 1 to 10"),
        (erasing, "fill", "x", "fill must be one of shade, mean, noise, not 'x'"),
        (mixup, "alpha", 0.0, "alpha must be above 0, not 0.0"),
        (mixup, "probability", 2.0, "probability must be from 0 to 1"),
        (cutmix, "alpha", float("inf"), "alpha must be above 0, not inf"),
        (cutmix, "probability", -1.0, "probability must be from 0 to 1"),
    ],
)
def test_an_option_out_of_range_is_refused(builder, option, value, message):
    """The message names the option, its range and what was given."""
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        build(builder, **{option: value})


def test_every_entry_names_its_builder():
    """Each registered target exists, and its name is the entry's."""
    found = {}

    class Adder:
        def augmentation(self, name, target, *, summary):
            module, _, attribute = target.partition(":")
            found[name] = getattr(__import__(module, fromlist=["_"]), attribute)
            assert attribute == name
            assert summary.endswith(".")

    zoo_augment.register(Adder())
    assert set(found.values()) == set(BUILDERS)


def test_shift_moves_whole_pixels_and_repeats_the_edge():
    """Each result is one of the 25 shifts of the image, its edge repeated; every shift occurs."""
    indices = torch.arange(SAMPLES)
    moved = torch.cat([augmented(shift(image_size=SIZE, pixels=2), indices, epoch)[0] for epoch in range(6)])
    padded = nn.functional.pad(images(indices), (2, 2, 2, 2), mode="replicate").repeat(6, 1, 1, 1)
    height, width = SIZE
    hits = torch.stack(
        [
            (padded[:, :, top : top + height, left : left + width] == moved).flatten(1).all(1)
            for top in range(5)
            for left in range(5)
        ]
    )
    assert hits.any(0).all()
    assert hits.any(1).all()


@pytest.mark.parametrize("fill", FILLS)
def test_what_comes_in_from_outside(fill):
    """A shift by three to the right shows the chosen filling in its first three columns."""
    inputs = images(torch.arange(2))
    height, width = SIZE
    rows = (torch.arange(height) - (height - 1) / 2).view(1, -1, 1).expand(2, -1, -1)
    columns = (torch.arange(width) - (width - 1) / 2 - 3).view(1, 1, -1).expand(2, -1, -1)
    moved = resample(inputs, rows, columns, fill, mode="nearest")
    expected = {
        "edge": inputs[..., :1].expand(-1, -1, -1, 3),
        "dark": inputs.amin((2, 3), keepdim=True).expand(-1, -1, height, 3),
        "mean": torch.zeros(2, 2, height, 3),
        "reflect": inputs[..., :3].flip(3),
    }[fill]
    torch.testing.assert_close(moved[..., :3], expected)
    torch.testing.assert_close(moved[..., 3:], inputs[..., :-3])


class Fixed:
    """Draws whose uniform numbers are given, so that an augmentation's largest change can be checked."""

    def __init__(self, *numbers: float) -> None:
        self.numbers = torch.tensor([numbers])

    def uniform(self, *shape: int) -> Tensor:
        return self.numbers.view(1, *shape)


HALF = 0.5
"""Halfway is no change: amounts go from minus to plus their largest."""


@pytest.mark.parametrize(
    ("options", "numbers", "expected"),
    [
        ({"shift": 2.0}, (0.0, HALF, HALF, HALF, HALF), lambda x: x.roll(2, 2)),
        ({"shift": 2.0}, (HALF, 1.0, HALF, HALF, HALF), lambda x: x.roll(-2, 3)),
        ({"rotation": 90.0}, (HALF, HALF, 1.0, HALF, HALF), lambda x: x.rot90(1, (2, 3))),
        ({"rotation": 180.0}, (HALF, HALF, 0.0, HALF, HALF), lambda x: x.flip(2, 3)),
    ],
)
def test_the_largest_warps_equal_exact_moves(options, numbers, expected):
    """A shift by two, a quarter turn and a half turn are what torch's roll, rot90 and flip give, away from the edge."""
    inputs = torch.zeros(1, 1, 11, 11)
    inputs[:, :, 3:8, 3:8] = images(torch.arange(1))[:, :1, :5, :5]
    changed, _ = Warp(**options)(inputs, torch.zeros(1), Fixed(*numbers))
    torch.testing.assert_close(changed, expected(inputs), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("number", "factor"), [(1.0, 2.0), (0.0, 0.5)])
def test_scale_enlarges_up_to_its_amount_and_shrinks_to_the_reciprocal(number, factor):
    """A square of side 8 becomes one of side 16 or 4."""
    inputs = torch.zeros(1, 1, 32, 32)
    inputs[:, :, 12:20, 12:20] = 1.0
    changed, _ = scale(amount=1.0)(inputs, torch.zeros(1), Fixed(HALF, HALF, HALF, number, HALF))
    assert changed.sum().item() == pytest.approx((8 * factor) ** 2, rel=0.05)


def test_shear_leans_upright_lines_by_its_angle():
    """A vertical line leans by 45 degrees: one column for each row."""
    inputs = torch.zeros(1, 1, 15, 15)
    inputs[..., 7] = 1.0
    changed, _ = Warp(shear=45.0)(inputs, torch.zeros(1), Fixed(HALF, HALF, HALF, HALF, 1.0))
    torch.testing.assert_close(changed[0, 0].flip(1), torch.eye(15), rtol=0, atol=1e-5)


def test_elastic_moves_no_pixel_further_than_allowed_by_much_and_smoothly():
    """The field of bicubic interpolation overshoots its control points by less than a third, without jumps."""
    augmentation = elastic(pixels=3.0, points=4)
    field = augmentation._bend(draws(200), torch.Size((28, 28)))
    assert field.shape == (200, 2, 28, 28)
    assert 2.5 < field.abs().max() < 4.0
    assert field.diff(dim=2).abs().max() < 1.5


def test_flip_mirrors_its_share_of_the_images():
    """Half of 400 images, within five sigmas, are exact mirror images; the rest is untouched."""
    inputs = images(torch.arange(400))
    changed, _ = flip()(inputs, torch.zeros(400), draws(400))
    mirrored = (changed == inputs.flip(3)).flatten(1).all(1)
    untouched = (changed == inputs).flatten(1).all(1)
    assert (mirrored ^ untouched).all()
    assert abs(mirrored.sum().item() - 200) < 50


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_flip_mirrors_large_images_as_small_ones(layout):
    """One by one, where small ones are mirrored all at once; the same ones, in the same layout."""
    large = torch.randn(9, 3, 80, 96).to(memory_format=layout)
    changed, _ = flip()(large, torch.zeros(9), draws(9))
    corners, _ = flip()(large[..., [0, -1]], torch.zeros(9), draws(9))
    mirrored = (corners[..., 0] != large[..., 0]).flatten(1).any(1)
    assert torch.equal(changed, torch.where(mirrored.view(-1, 1, 1, 1), large.flip(3), large))
    assert 0 < mirrored.sum() < 9
    assert changed.stride() == large.stride()


def test_erasing_blanks_rectangles_of_the_stated_area():
    """What changes is one full rectangle, its area in range but for rounding, with one value a channel."""
    inputs = torch.full((300, 2, 32, 32), 9.0)
    changed, _ = erasing(probability=1.0, smallest=0.1, largest=0.3)(inputs, torch.zeros(300), draws(300))
    erased = changed[:, 0] != 9.0
    area = erased.flatten(1).double().mean(1)
    assert area.min() > 0.08
    assert area.max() < 0.33
    assert area.max() - area.min() > 0.15
    boxes = erased.any(2).sum(1) * erased.any(1).sum(1)
    assert torch.equal(boxes, erased.sum((1, 2)))
    for image, mask in zip(changed, erased, strict=True):
        assert len(image[0][mask].unique()) == len(image[1][mask].unique()) == 1


def test_erasing_fills_with_what_was_chosen():
    """The mean is 0; noise differs from pixel to pixel and is standard normal."""
    inputs = torch.full((50, 1, 20, 20), 9.0)
    for fill, mean, std in (("mean", 0.0, 0.0), ("noise", 0.0, 1.0)):
        changed, _ = erasing(probability=1.0, fill=fill)(inputs, torch.zeros(50), draws(50))
        filled = changed[changed != 9.0]
        assert filled.mean().item() == pytest.approx(mean, abs=0.1)
        assert filled.std().item() == pytest.approx(std, abs=0.1)


def test_every_place_of_a_box_is_as_likely():
    """A box of side 2 in a length of 5 starts at 0, 1, 2 or 3, and never leaves the image."""
    places = torch.arange(0, 1, 1 / 16)
    half = torch.full((16,), 0.4)
    mask = box_mask((5, 5), (half, half), (places, torch.zeros(16)))
    starts = mask[:, 0].any(2).long().argmax(1)
    assert torch.bincount(starts).tolist() == [4, 4, 4, 4]
    assert (mask.sum((1, 2, 3)) == 4).all()


@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.5, 1.0, 3.0])
def test_the_kept_share_has_the_beta_distribution(alpha):
    """Mean, variance and quantiles of 40,000 shares agree with torch's own Beta sampler."""
    shares = kept_share(draws(40_000), alpha, 1.0).double()
    assert shares.min() >= 0
    assert shares.max() <= 1
    assert shares.mean().item() == pytest.approx(0.5, abs=5 * 0.5 / 200)
    assert shares.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.05)
    torch.manual_seed(0)
    reference = torch.distributions.Beta(alpha, alpha).sample((40_000,)).double()
    for level in (0.1, 0.3, 0.5, 0.7, 0.9):
        assert (shares < level).double().mean().item() == pytest.approx(
            (reference < level).double().mean().item(), abs=0.02
        )


def test_mixup_mixes_images_and_labels_by_the_same_share():
    """Images of one colour, equal to their label, show that pixels and targets have one share."""

    def plain(indices):
        return indices.float().view(-1, 1, 1, 1).expand(-1, 1, 4, 4).clone(), indices % 5

    def shades(indices):
        inputs, targets = plain(indices)
        return inputs % 5, targets

    inputs, targets = augmented(mixup(num_classes=5, alpha=1.0), torch.arange(SAMPLES), given=shades)
    torch.testing.assert_close(targets.sum(1), torch.ones(SAMPLES))
    torch.testing.assert_close(inputs[:, 0, 0, 0], targets @ torch.arange(5.0))
    assert (targets > 0.05).sum(1).max() == 2


def test_cutmix_labels_follow_the_pixels():
    """The label's share of a partner is the share of its pixels, which form one rectangle."""

    def plain(indices):
        return (indices % 5).float().view(-1, 1, 1, 1).expand(-1, 1, *SIZE).clone(), indices % 5

    indices = torch.arange(SAMPLES)
    inputs, targets = augmented(cutmix(num_classes=5), indices, given=plain)
    pixels = torch.stack([(inputs == label).flatten(1).double().mean(1) for label in range(5)], dim=1)
    torch.testing.assert_close(targets.double(), pixels, rtol=0, atol=1e-6)
    foreign = inputs[:, 0] != (indices % 5).view(-1, 1, 1)
    assert torch.equal(foreign.any(2).sum(1) * foreign.any(1).sum(1), foreign.sum((1, 2)))


def test_mixup_after_cutmix_takes_soft_targets():
    """Several mixing augmentations in a row keep targets that sum to 1."""
    augmenter = Augmenter(
        [cutmix(num_classes=5), mixup(num_classes=5, alpha=1.0)],
        seed=0,
        num_samples=SAMPLES,
        fetch=lambda _, indices: fetch(indices),
    )
    indices = torch.arange(20)
    _, targets = augmenter(*fetch(indices), 0, indices)
    torch.testing.assert_close(targets.sum(1), torch.ones(20))
    assert (targets > 0.02).sum(1).max() > 2
