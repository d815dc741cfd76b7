"""Images are resized alike whatever their size, layout and type."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from PIL import Image

from zoo.files.resizing import resized

_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@pytest.mark.parametrize("how", _FILTERS)
@pytest.mark.parametrize("size", [(2, 1), (5, 1), (1, 1), (1, 4), (3, 2)])
def test_a_result_of_one_column_or_row_is_what_pillow_makes(size: tuple[int, int], how: str):
    """Where torch gives each row of a column the weights of the first."""
    generator = np.random.default_rng(sum(size))
    for height, width in itertools.product((1, 2, 3, 7), repeat=2):
        image = generator.random((height, width), dtype=np.float32)
        expected = np.asarray(Image.fromarray(image).resize((size[1], size[0]), _FILTERS[how]))
        found = resized(torch.from_numpy(image)[None, None], size, how)
        np.testing.assert_allclose(found[0, 0], expected, atol=1e-5)


@pytest.mark.parametrize("how", ["nearest", *_FILTERS])
@pytest.mark.parametrize("size", [(4, 1), (1, 4), (4, 3)])
@pytest.mark.parametrize("channels", [1, 3])
def test_layout_and_type_change_no_pixel(size: tuple[int, int], how: str, channels: int):
    """Rounding to uint8 aside, twice; from sides of one pixel on, whose strides torch takes for others."""
    for count, height, width in itertools.product((1, 2), (1, 2, 9), (1, 2, 5)):
        images = torch.randint(96, 160, (count, channels, height, width), dtype=torch.uint8)  # nothing overshoots
        plain = resized(images.float(), size, how)
        last = resized(images.float().contiguous(memory_format=torch.channels_last), size, how)
        torch.testing.assert_close(last, plain)
        for stored in (images, images.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)):
            assert (resized(stored, size, how).float() - plain).abs().max() <= 2
