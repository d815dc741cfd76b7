"""The models of the mlp and cnn plugins, at many sizes; tests/testing/ holds them to the contract of every plugin's."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import zoo

MODELS = [
    "mlp/linear",
    "mlp/mlp",
    "cnn/cnn",
    "cnn/cnn_batchnorm",
    "cnn/cnn_dropout",
    "cnn/lenet5",
    "cnn/pytorch_mnist",
    "cnn/resnet9",
]
SIZES = [(12, 12), (15, 13), (28, 28), (32, 32), (64, 64)]


def build(name: str, num_classes: int = 10, in_channels: int = 1, size: tuple[int, int] = (28, 28), **options: object):
    """Build a model from a fixed seed, by its full name."""
    torch.manual_seed(0)
    facts = {"num_classes": num_classes, "in_channels": in_channels, "image_size": size}
    return zoo.create("models", name, **facts, **options)


def parameters(model: nn.Module) -> int:
    """Return how many numbers the model learns."""
    return sum(parameter.numel() for parameter in model.parameters())


def test_all_models_of_both_plugins_are_tested_here():
    """A model that is registered and not listed above would go unchecked."""
    assert {entry.full_name for entry in zoo.entries("models") if entry.plugin in ("mlp", "cnn")} == set(MODELS)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize(("num_classes", "in_channels"), [(2, 3), (10, 1)])
def test_a_model_learns_from_every_pixel_with_every_parameter(name, size, num_classes, in_channels):
    """The logits' shape is right; each parameter has a finite gradient that is not all 0, and no pixel has one of 0."""
    model = build(name, num_classes, in_channels, size)
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(8, in_channels, *size, generator=generator).requires_grad_()
    logits = model(inputs)
    F.cross_entropy(logits, torch.arange(8) % num_classes).backward()

    assert logits.shape == (8, num_classes)
    assert logits.dtype == torch.float32
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name
        assert parameter.grad.any(), parameter_name
    assert inputs.grad is not None
    assert (inputs.grad != 0).any(0).all()


@pytest.mark.parametrize("name", MODELS)
def test_a_model_keeps_its_logits_in_channels_last(name):
    """The memory layout that is fastest for convolutions is only a layout."""
    model, inputs = build(name).eval(), torch.randn(4, 1, 28, 28)
    expected = model(inputs)
    last = model.to(memory_format=torch.channels_last)(inputs.to(memory_format=torch.channels_last))
    torch.testing.assert_close(last, expected)


@pytest.mark.parametrize(
    ("name", "count"), [("mlp/linear", 7_850), ("cnn/lenet5", 61_706), ("cnn/pytorch_mnist", 1_199_882)]
)
def test_a_published_net_has_its_published_number_of_parameters(name, count):
    """A comparison with others' numbers is one with the same net."""
    assert parameters(build(name)) == count


@pytest.mark.parametrize("size", [(12, 12), (28, 28), (64, 64), (224, 224)])
@pytest.mark.parametrize("in_channels", [1, 3])
def test_cnn_dropout_stays_compact_at_any_size(size, in_channels):
    """Fewer than 250,000 parameters, however large the image."""
    assert parameters(build("cnn/cnn_dropout", in_channels=in_channels, size=size)) < 250_000


@pytest.mark.parametrize(
    ("name", "options", "layers"),
    [
        ("cnn/cnn", {}, set()),
        ("cnn/cnn_batchnorm", {}, {nn.BatchNorm2d}),
        ("cnn/cnn_dropout", {}, {nn.BatchNorm2d, nn.Dropout}),
        ("cnn/cnn_dropout", {"batch_norm": False}, {nn.Dropout}),
        ("cnn/cnn_dropout", {"p": 0}, {nn.BatchNorm2d}),
    ],
)
def test_the_compact_nets_differ_in_what_their_names_say(name, options, layers):
    """Batch norm and dropout are there where the name or an option asks for them, and nowhere else."""
    model = build(name, **options)
    assert {type(layer) for layer in model if isinstance(layer, (nn.BatchNorm2d, nn.Dropout))} == layers


@pytest.mark.parametrize("name", ["cnn/cnn", "cnn/cnn_batchnorm", "cnn/cnn_dropout"])
@pytest.mark.parametrize("size", [(12, 12), (13, 30), (28, 28)])
def test_a_net_without_padding_sees_the_pixels_of_one_with_it(name, size):
    """Of an image with a blank margin of two pixels, the first convolution gives the same, but for its margin."""
    padded, bare = build(name, size=size), build(name, size=size, padding="valid")
    bare[0].load_state_dict(padded[0].state_dict())
    images = torch.rand(2, 1, *size)
    assert bare.eval()(images).shape == (2, 10)
    assert torch.allclose(padded[0](images)[:, :, 2:-2, 2:-2], bare[0](images), atol=1e-6)
    assert parameters(bare) <= parameters(padded)


def test_dropout_zeroes_features_in_training_alone():
    """The rate is the option's, and what is left is scaled up so that the mean stays."""
    layer = next(layer for layer in build("cnn/cnn_dropout", p=0.4) if isinstance(layer, nn.Dropout))
    ones = torch.ones(100_000)
    dropped = layer.train()(ones)
    assert (dropped == 0).float().mean().item() == pytest.approx(0.4, abs=0.01)
    assert dropped.mean().item() == pytest.approx(1, abs=0.02)
    assert torch.equal(layer.eval()(ones), ones)


def test_mlp_takes_any_number_of_hidden_layers():
    """Each width gives one hidden layer; none gives softmax regression."""
    widths = [layer.out_features for layer in build("mlp/mlp", widths=[30, 20]) if isinstance(layer, nn.Linear)]
    assert widths == [30, 20, 10]
    assert parameters(build("mlp/mlp", widths=[])) == parameters(build("mlp/linear"))


def test_mlp_layers_follow_its_options():
    """Dropout of pixels and units, and batch norm in front of ReLU, each only where asked for."""
    model = build("mlp/mlp", widths=[8], p=0.5, input_p=0.25, batch_norm=True)
    assert [type(layer).__name__ for layer in model] == [
        "Flatten", "Dropout", "Linear", "BatchNorm1d", "ReLU", "Dropout", "Linear",
    ]  # fmt: skip
    assert [layer.p for layer in model if isinstance(layer, nn.Dropout)] == [0.25, 0.5]
    plain = build("mlp/mlp", widths=[8], p=0, input_p=0, batch_norm=False)
    assert [type(layer).__name__ for layer in plain] == ["Flatten", "Linear", "ReLU", "Linear"]


@pytest.mark.parametrize(
    ("name", "option", "value", "rule"),
    [
        ("mlp/mlp", "p", 1.0, "[0, 1)"),
        ("mlp/mlp", "p", float("nan"), "[0, 1)"),
        ("mlp/mlp", "input_p", -0.1, "[0, 1)"),
        ("mlp/mlp", "widths", [512, 0], "at least 1"),
        ("cnn/cnn_dropout", "p", 2, "[0, 1)"),
        ("cnn/cnn_dropout", "widths", [], "one whole number or more"),
        ("cnn/cnn", "widths", [-4], "at least 1"),
        ("cnn/cnn_batchnorm", "padding", "full", "'same' or 'valid'"),
    ],
)
def test_an_option_outside_its_range_is_refused_with_its_rule(name, option, value, rule):
    """The message holds the option's name, what was given and what is allowed."""
    with pytest.raises(zoo.UsageError) as caught:
        build(name, **{option: value})
    assert f"{option} must be" in str(caught.value)
    assert repr(value) in str(caught.value)
    assert rule in str(caught.value)


@pytest.mark.parametrize(("name", "smallest"), [("cnn/cnn_dropout", 12), ("cnn/lenet5", 12), ("cnn/pytorch_mnist", 6)])
def test_an_image_that_is_too_small_is_refused_with_the_smallest_size(name, smallest):
    """The least size works; one pixel less is an error that names it and what was given."""
    build(name, size=(smallest, smallest))(torch.randn(2, 1, smallest, smallest))
    with pytest.raises(zoo.UsageError, match=f"from {smallest} x {smallest} pixels up, not {smallest - 1} x 28"):
        build(name, size=(smallest - 1, 28))
