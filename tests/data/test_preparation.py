"""From stored pixels to inputs: the same numbers, however many there are and however they lie in memory."""

from __future__ import annotations

import pytest
import torch

from zoo.data import Preparation, preparation

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LAYOUTS = (torch.contiguous_format, torch.channels_last)


@pytest.mark.parametrize("stored", LAYOUTS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("count", [0, 1, 7])
def test_large_batches_are_normalised_in_pieces_with_the_same_bits(monkeypatch, stored, layout, channels, count):
    """Grey and in colour, wherever the pieces end, in the layout that is asked for."""
    images = torch.randint(0, 256, (count, channels, 9, 5), dtype=torch.uint8).to(memory_format=stored)
    prepare = Preparation(MEAN, STD, memory_format=layout)
    at_once = prepare(images)
    expected = (images.float().expand(-1, 3, -1, -1) - prepare.shift) * prepare.scale
    assert torch.equal(at_once, expected)
    for piece in (-1, 9 * 5 * 3 * 2):
        monkeypatch.setattr(preparation, "_PIECE", piece)
        found = prepare(images)
        assert torch.equal(found, expected)
        assert found.is_contiguous(memory_format=layout)
        assert found.dtype == torch.float32


def test_normalising_leaves_the_stored_images_alone():
    """They are read again in the next epoch."""
    images = torch.randint(0, 256, (4, 3, 300, 300), dtype=torch.uint8)
    kept = images.clone()
    Preparation(MEAN, STD)(images).zero_()
    assert torch.equal(images, kept)
