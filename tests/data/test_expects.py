"""What weights expect, and images prepared so."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zoo.data import Expects, Preparation

HALF = {"mean": [0.5] * 3, "std": [0.5] * 3}


@given(st.lists(st.text(max_size=3), max_size=12), st.data())
def test_rows_lead_to_the_names_that_were_asked_for(names: list[str], data: st.DataObject):
    """In their order; a name that the weights have twice, or not at all, leads nowhere."""
    asked = data.draw(st.lists(st.sampled_from([*names, "absent"]), min_size=1, unique=True))
    rows = Expects(**HALF, classes=names).rows(asked)
    if all(names.count(name) == 1 for name in asked):
        assert rows is not None
        assert [names[row] for row in rows] == asked
    else:
        assert rows is None


def test_the_same_names_in_the_same_order_have_all_rows():
    """Even where two are equal: the whole head is meant."""
    assert Expects(**HALF, classes=["crane", "auk", "crane"]).rows(["crane", "auk", "crane"]) == (0, 1, 2)
    assert Expects(**HALF, classes=["crane", "auk", "crane"]).rows(["auk", "crane"]) is None


def test_no_classes_have_no_rows():
    """Nothing is known of a head for no class at all."""
    assert Expects(**HALF, classes=["a"]).rows([]) is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"std": [0.5]}, "must have a number for each channel"),
        ({"std": [0.5, 0.5, 0.0]}, "every std must be above 0"),
        ({"size": (224,)}, r"size must be \(H, W\)"),
        ({"interpolation": "cubic"}, "must be one of nearest, bilinear, bicubic, not 'cubic'"),
        ({"crop": 0}, "crop must be above 0"),
        ({"head": "old"}, "head must be one of new, kept"),
        ({"sha256": "12ab"}, "64 hexadecimal digits"),
    ],
)
def test_a_wrong_value_is_told(wrong: dict[str, object], message: str):
    """By the field and what it may be."""
    with pytest.raises(ValueError, match=message):
        Expects(**{**HALF, **wrong})


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_grey_images_are_repeated_for_a_model_of_colour(layout: torch.memory_format):
    """Each channel is normalised by its own statistics."""
    images = torch.arange(2 * 16, dtype=torch.uint8).view(2, 1, 4, 4)
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.4, 0.3)
    inputs = Preparation(mean, std, memory_format=layout)(images)
    coloured = Preparation(mean, std, memory_format=layout)(images.expand(-1, 3, -1, -1).contiguous())
    assert torch.equal(inputs, coloured)
    assert inputs.is_contiguous(memory_format=layout)


@pytest.mark.parametrize("size", [(5, 5), (9, 20)])
def test_bicubic_resizing_never_leaves_black_and_white(size: tuple[int, int]):
    """A picture of edges overshoots without it."""
    images = torch.zeros(1, 3, 10, 10, dtype=torch.uint8)
    images[:, :, :, 5:] = 255
    inputs = Preparation([0.5] * 3, [0.25] * 3, size=size, interpolation="bicubic")(images)
    assert inputs.shape[-2:] == size
    assert inputs.amin() == -2.0
    assert inputs.amax() == 2.0


def test_the_nearest_pixel_stays_what_it_was():
    """No new values come into being."""
    images = torch.tensor([[[[0, 255], [100, 50]]]], dtype=torch.uint8)
    inputs = Preparation([0.0], [1.0], size=(4, 4), interpolation="nearest")(images)
    assert torch.equal(inputs.mul(255).round()[0, 0, ::2, ::2].to(torch.uint8), images[0, 0])
