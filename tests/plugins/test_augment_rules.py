"""Ranges, rectangles and strengths that augmentations share."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from zoo_augment.boxes import box_mask
from zoo_augment.policies import BINS, _strengths
from zoo_augment.ranges import above_zero, one_of, within


@pytest.mark.parametrize(("value", "low", "high"), [(0, 0, 1), (1, 0, 1), (0.5, 0.5, 0.5), (1e9, 0, math.inf)])
def test_both_bounds_are_within(value: float, low: float, high: float) -> None:
    """And the value comes back as it is."""
    assert within("p", value, low, high) is value


@pytest.mark.parametrize(
    ("value", "low", "high", "message"),
    [
        (-0.1, 0, 1, "p must be from 0 to 1, not -0.1"),
        (1.1, 0, 1, "p must be from 0 to 1, not 1.1"),
        (math.nan, 0, 1, "p must be from 0 to 1, not nan"),
        (-1, 0, math.inf, "p must be at least 0, not -1"),
    ],
)
def test_what_is_not_within_is_told(value: float, low: float, high: float, message: str) -> None:
    """Without an infinite end."""
    with pytest.raises(ValueError, match="p must be") as caught:
        within("p", value, low, high)
    assert str(caught.value) == message


@pytest.mark.parametrize("value", [0, -1.0, math.inf, math.nan])
def test_what_must_be_above_zero_is_told(value: float) -> None:
    """And finite."""
    assert above_zero("alpha", 1e-9) == 1e-9
    with pytest.raises(ValueError, match=r"^alpha must be above 0, not "):
        above_zero("alpha", value)


def test_a_choice_is_one_of_those_there_are() -> None:
    """In their order."""
    assert one_of("fill", "b", ("a", "b")) == "b"
    with pytest.raises(ValueError, match=r"^fill must be one of a, b, not 'A'$"):
        one_of("fill", "A", ("a", "b"))


shares = st.floats(0, 1.5)
places = st.floats(0, 1, exclude_max=True, width=32)


@settings(max_examples=30)
@given(st.tuples(st.integers(1, 9), st.integers(1, 9)), shares, shares, places, places)
def test_a_box_lies_in_the_image_and_has_its_sides(
    size: tuple[int, int], height: float, width: float, down: float, right: float
) -> None:
    """One run of rows and of columns, of the rounded length, at most the image's."""
    sides = (torch.tensor([height]), torch.tensor([width]))
    mask = box_mask(size, sides, (torch.tensor([down]), torch.tensor([right])))
    assert mask.shape == (1, 1, *size)
    assert mask.dtype == torch.bool
    for length, side, axis in zip(size, sides, (1, 0), strict=True):
        run = mask[0, 0].any(axis)
        expected = min(length, round(float(side * length)))
        other = min(size[axis], round(float(sides[axis] * size[axis])))
        assert int(run.sum()) == (expected if other else 0)
        assert int(run.int().diff().abs().sum()) <= 2
    assert int(mask.sum()) == int(mask[0, 0].any(1).sum()) * int(mask[0, 0].any(0).sum())


def test_boxes_of_a_batch_are_each_their_own() -> None:
    """By hand: two of four rows at the top and at the bottom; all columns, and one."""
    mask = box_mask(
        (4, 3),
        (torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.34])),
        (torch.tensor([0.0, 0.99]), torch.tensor([0.5, 0.5])),
    )
    assert mask[0, 0].int().tolist() == [[1, 1, 1], [1, 1, 1], [0, 0, 0], [0, 0, 0]]
    assert mask[1, 0].int().tolist() == [[0, 0, 0], [0, 0, 0], [0, 1, 0], [0, 1, 0]]


@settings(max_examples=30)
@given(st.tuples(st.integers(1, 300), st.integers(1, 300)), st.integers(0, 7))
def test_strengths_go_from_none_to_the_most(size: tuple[int, int], bits: int) -> None:
    """One for each bin; shades and moves rise, what posterize and solarize leave falls."""
    found = _strengths(size, 0.3, 0.5, 90.0, 0.9, bits)
    assert len(found) == 14
    assert {len(values) for values in found.values()} == {BINS}
    for name, values in found.items():
        falling = name in ("posterize", "solarize")
        assert values == sorted(values, reverse=falling)
    assert found["translate_x"][-1] == pytest.approx(0.5 * size[1])
    assert found["translate_y"][-1] == pytest.approx(0.5 * size[0])
    assert found["rotate"][-1] == pytest.approx(math.pi / 2)
    assert (found["posterize"][0], found["posterize"][-1]) == (8.0, 8.0 - bits)
    assert found["solarize"][0] > 1.0
    assert found["solarize"][-1] == 0.0
    assert all(values[0] == 0 for name, values in found.items() if name not in ("posterize", "solarize"))
    assert set(found["identity"]) == set(found["equalize"]) == set(found["autocontrast"]) == {0.0}
