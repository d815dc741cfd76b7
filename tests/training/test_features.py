"""What a head is given, as one vector for each image."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from zoo.errors import PluginError
from zoo.training.features import given_to, vectors


def test_a_layer_is_listened_to_only_meanwhile():
    """And what it was given is detached."""
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    inputs = torch.randn(5, 3)
    with given_to(model[2]) as seen:
        model(inputs)
    model(inputs)
    (part,) = seen
    assert torch.equal(part, model[1](model[0](inputs)))
    assert not part.requires_grad


def test_maps_are_averaged_over_their_places():
    """As a head that is a convolution is given them."""
    maps = torch.arange(24.0).view(2, 3, 2, 2)
    assert vectors([maps], 2, "head").tolist() == [[1.5, 5.5, 9.5], [13.5, 17.5, 21.5]]
    assert vectors([maps[..., 0, 0].to(torch.bfloat16)], 2, "head").dtype == torch.float32


@pytest.mark.parametrize("seen", [[], [torch.ones(2, 3)] * 2, [torch.ones(3, 3)], [torch.ones(2, 7, 3)]])
def test_what_is_no_vector_for_each_image_is_refused(seen: list[torch.Tensor]):
    """Never called, called twice, another number of images, tokens."""
    with pytest.raises(PluginError, match=r"'head' is given .* for 2 images, and no vector for each; let the model"):
        vectors(seen, 2, "head")
