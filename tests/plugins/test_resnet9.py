"""The model resnet9 of zoo_cnn; the contract of all models is tested elsewhere."""

from __future__ import annotations

import pytest
import torch
from zoo_cnn.residual import Residual, resnet9

from zoo.errors import UsageError

FACTS = {"num_classes": 10, "in_channels": 1, "image_size": (28, 28)}


def test_resnet9_has_nine_layers_with_weights_and_the_stated_size():
    """Eight convolutions and one linear layer, 412,666 parameters at the default width."""
    model = resnet9(**FACTS)
    matrices = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    assert len(matrices) == 9
    assert sum(parameter.numel() for parameter in model.parameters()) == 412_666


def test_a_block_in_the_middle_adds_two_convolutions_to_the_second_stage():
    """Of 64 channels at the default width, each with its batch norm."""
    model = resnet9(**FACTS, middle=True)
    blocks = [module for module in model if isinstance(module, Residual)]
    assert [block.branch[0].in_channels for block in blocks] == [32, 64, 128]
    assert sum(parameter.numel() for parameter in model.parameters()) == 412_666 + 2 * (9 * 64 * 64 + 2 * 64)


def test_every_pixel_reaches_the_logits():
    """No row or column is thrown away by pooling, at sizes that do not divide by eight."""
    for size in ((8, 8), (15, 28), (30, 31)):
        inputs = torch.randn(4, 1, *size, requires_grad=True)
        resnet9(**{**FACTS, "image_size": size})(inputs).square().sum().backward()
        touched = inputs.grad.abs().sum((0, 1))
        assert (touched.sum(0) > 0).all()
        assert (touched.sum(1) > 0).all()


def test_a_residual_block_with_a_silent_branch_is_the_identity():
    """With its last batch norm at zero, the block returns what it was given."""
    block = Residual(4)
    torch.nn.init.zeros_(block.branch[-2].weight)
    inputs = torch.randn(2, 4, 5, 5)
    assert torch.equal(block(inputs), inputs)


@pytest.mark.parametrize(
    ("options", "message"), [({"width": 0}, "width must be at least 1"), ({"p": 1.0}, "p must be in")]
)
def test_an_option_out_of_range_is_refused(options, message):
    """The message names the option."""
    with pytest.raises(ValueError, match=message):
        resnet9(**FACTS, **options)


def test_a_small_image_is_refused_by_name():
    """The smallest size that it takes is named."""
    with pytest.raises(UsageError, match="resnet9 takes images from 8 x 8 pixels up, not 7 x 28"):
        resnet9(**{**FACTS, "image_size": (7, 28)})
