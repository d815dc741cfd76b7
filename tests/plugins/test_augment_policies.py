"""TrivialAugment and RandAugment, and the operations that they draw from."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional as reference
from zoo_augment import operations
from zoo_augment.policies import BINS, SIGNED, Policy, rand, trivial

from zoo.data.augmentation import Draws

MEAN, STD = (0.4, 0.45, 0.5), (0.2, 0.25, 0.3)
FACTS = {"image_size": (20, 30), "pixel_mean": MEAN, "pixel_std": STD}
BILINEAR = InterpolationMode.BILINEAR


def pictures(count: int = 3, channels: int = 3, size: tuple[int, int] = (20, 30)) -> Tensor:
    """Pixels in [0, 1] of 256 shades, not all of which occur."""
    noise = torch.rand(count, channels, *size, generator=torch.Generator().manual_seed(0))
    return (noise.square() * 200 + 20).round() / 255


def strength(value: float, count: int = 3) -> Tensor:
    return torch.full((count, 1, 1, 1), value)


@pytest.mark.parametrize("factor", [0.01, 0.4, 1.0, 1.9])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (operations.brightness, reference.adjust_brightness),
        (operations.colour, reference.adjust_saturation),
        (operations.contrast, reference.adjust_contrast),
        (operations.sharpness, reference.adjust_sharpness),
    ],
    ids=["brightness", "colour", "contrast", "sharpness"],
)
def test_shades_are_torchvisions(ours, theirs, factor):
    """Their weights of red, green and blue add up to 0.9999."""
    torch.testing.assert_close(ours(pictures(), strength(factor)), theirs(pictures(), factor), rtol=0, atol=2e-4)


@pytest.mark.parametrize("bits", [2, 5, 8])
def test_posterize_is_torchvisions(bits):
    """The first bits of each value; white stays the lightest there is."""
    inputs = torch.cat([pictures(), torch.ones(1, 3, 20, 30)])
    assert torch.equal(operations.posterize(inputs, strength(float(bits), 4)), reference.posterize(inputs, bits))


@pytest.mark.parametrize("threshold", [0.0, 0.3, 1.0])
def test_solarize_is_torchvisions(threshold):
    """Values from the threshold on are inverted."""
    assert torch.equal(operations.solarize(pictures(), strength(threshold)), reference.solarize(pictures(), threshold))


@pytest.mark.parametrize("name", ["autocontrast", "equalize"])
@pytest.mark.parametrize("channels", [1, 3])
def test_what_looks_at_a_whole_channel_is_torchvisions(name, channels):
    """Also in channels of one value, and of two."""
    inputs = pictures(5, channels)
    inputs[1], inputs[2, :, :3] = 0.2, 1.0
    inputs[3] = (inputs[3] > 0.3).float()
    torch.testing.assert_close(getattr(operations, name)(inputs), getattr(reference, name)(inputs), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "amount", "theirs"),
    [
        ("shear_x", 0.4, {"shear": [math.degrees(math.atan(0.4)), 0.0]}),
        ("shear_y", -0.3, {"shear": [0.0, math.degrees(math.atan(-0.3))]}),
        ("translate_x", 4.0, {"translate": [4, 0]}),
        ("translate_y", -3.0, {"translate": [0, -3]}),
    ],
)
def test_moves_are_torchvisions(name, amount, theirs):
    """What comes in from outside is 0 in both."""
    given = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0], **theirs}
    expected = reference.affine(pictures(), **given, interpolation=BILINEAR)
    moved = operations.moved(pictures(), "mean", **{name: strength(amount)})
    # Along the picture's own edge they fade into what is outside, and ours do not for moves by whole pixels.
    inside = reference.affine(torch.ones(1, 1, 20, 30), **given, interpolation=BILINEAR) > 0.999
    assert inside.sum() > 300
    torch.testing.assert_close(moved * inside, expected * inside, rtol=0, atol=1e-4)


@pytest.mark.parametrize("degrees", [90.0, 30.0, -135.0])
def test_turns_are_torchvisions(degrees):
    """Counter-clockwise about the centre."""
    expected = reference.rotate(pictures(), degrees, interpolation=BILINEAR)
    inside = reference.rotate(torch.ones(1, 1, 20, 30), degrees, interpolation=BILINEAR) > 0.999
    turned = operations.moved(pictures(), "mean", rotate=strength(math.radians(degrees)))
    assert inside.sum() > 300
    torch.testing.assert_close(turned * inside, expected * inside, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("policy", "theirs"), [(trivial, v2.TrivialAugmentWide), (rand, v2.RandAugment)])
def test_strengths_are_torchvisions(policy, theirs):
    """Operation for operation and bin for bin, but for solarize, which inverts white at no strength there."""
    ours = policy(image_size=(224, 331), pixel_mean=MEAN, pixel_std=STD)
    table = dict(zip(ours.names, ours.table, strict=True))
    names = {"Color": "colour", "ShearX": "shear_x", "ShearY": "shear_y"}
    names |= {"TranslateX": "translate_x", "TranslateY": "translate_y"}
    known = theirs._AUGMENTATION_SPACE
    assert {names.get(name, name.lower()) for name in known} == set(table)
    for name, (magnitudes, signed) in known.items():
        own = names.get(name, name.lower())
        assert (own in SIGNED) == signed
        expected = magnitudes(BINS, 224, 331)
        if expected is None or own == "identity":
            continue
        if own == "rotate":
            expected = expected.deg2rad()
        if own.startswith("translate") and policy is trivial:
            expected = expected * ((331 if own == "translate_x" else 224) / 224)
        tolerance = 0.005 if own == "solarize" else 1e-4
        torch.testing.assert_close(table[own], expected.float(), rtol=1e-5, atol=tolerance)


def test_a_policy_applies_the_drawn_operation_at_the_drawn_strength():
    """On normalised inputs, what torchvision makes of the pixels."""
    policy = trivial(**FACTS)
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (MEAN, STD))
    which, at = policy.names.index("contrast"), 20
    for sign in (0, 1):
        draws = _Given(which, at, sign)
        changed, _ = policy((pictures() - mean) / std, torch.zeros(3), draws)
        factor = 1 + (2 * sign - 1) * 0.99 * at / (BINS - 1)
        expected = reference.adjust_contrast(pictures(), factor)
        torch.testing.assert_close(changed * std + mean, expected, rtol=0, atol=2e-4)


class _Given:
    """Draws whose whole numbers are given, the same for each sample."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = list(numbers)

    def integers(self, high: int) -> Tensor:
        number = self.numbers.pop(0)
        assert number < high
        return torch.full((3,), number)


def test_every_operation_is_drawn_as_often():
    """Of 2,800 pictures of one shade, those that are brightened show the share; and the signs are even."""
    names = {"brightness": [0.0, *[0.5] * (BINS - 1)], "identity": [0.0] * BINS}
    policy = Policy(names, 1, None, (0.5,), (0.5,), "mean")
    inputs = torch.full((2800, 1, 3, 3), 0.0)
    draws = Draws("key", torch.arange(2800), "cpu", lambda indices: (indices, indices))
    changed, _ = policy(inputs, torch.zeros(2800), draws)
    shade = changed[:, 0, 0, 0]
    assert ((shade > 0.1).sum() + (shade < -0.1).sum()).item() == pytest.approx(1400 * 30 / 31, abs=130)
    assert (shade > 0.1).sum().item() == pytest.approx(700, abs=110)


def test_several_operations_are_applied_one_after_the_other():
    """Two doublings of the brightness, where the list has that alone."""
    policy = Policy({"brightness": [0.5] * BINS}, 2, 9, (0.5,), (0.25,), "mean")
    inputs = torch.full((64, 1, 2, 2), -1.0)  # 0.25
    draws = Draws("key", torch.arange(64), "cpu", lambda indices: (indices, indices))
    changed, _ = policy(inputs, torch.zeros(64), draws)
    pixels = {round(value, 4) for value in (changed * 0.25 + 0.5).flatten().tolist()}
    assert pixels == {0.0625, 0.1875, 0.5625}


def test_a_strength_of_zero_changes_next_to_nothing():
    """Posterize keeps 256 shades, and no white is inverted; what has no strength is left out here."""
    policy = rand(**FACTS, strength=0)
    kept = [number for number, name in enumerate(policy.names) if name not in ("autocontrast", "equalize")]
    inputs = (torch.cat([pictures(2), torch.ones(1, 3, 20, 30)]) - 0.5) / 0.25
    same = rand(image_size=(20, 30), pixel_mean=(0.5,) * 3, pixel_std=(0.25,) * 3, strength=0)
    for number in kept:
        changed, _ = same(inputs, torch.zeros(3), _Given(number, 0, 1, number, 0, 1))
        torch.testing.assert_close(changed, inputs, rtol=0, atol=2.5 / 255 / 0.25)


def test_what_is_not_on_a_cpu_gets_the_same_bits(monkeypatch):
    """There every operation is computed for the whole batch, and chosen from: here by the same code on a CPU."""
    inputs = (pictures(40) - 0.5) / 0.25
    draws = [Draws("key", torch.arange(40), "cpu", lambda indices: (indices, indices)) for _ in range(2)]
    policy = rand(**FACTS, operations=3)
    alone, _ = policy(inputs, torch.zeros(40), draws[0])
    monkeypatch.setattr("zoo_augment.policies._skips", lambda pixels: False)
    together, _ = policy(inputs, torch.zeros(40), draws[1])
    assert torch.equal(alone, together)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("operations", 0, "operations must be from 1 to 14, not 0"),
        ("strength", 31, "strength must be from 0 to 30, not 31"),
        ("fill", "x", "fill must be one of edge, dark, mean, reflect, not 'x'"),
    ],
)
def test_an_option_out_of_range_is_refused(option, value, message):
    """The message names the option, its range and what was given."""
    with pytest.raises(ValueError, match=message):
        rand(**FACTS, **{option: value})
