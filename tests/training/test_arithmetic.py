"""Precision, device and layout: rules over what the machine can do; the criterion always computes in fp32."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import timm
import torch
from small_images import small_dataset
from torch import nn

import zoo
from zoo.errors import UsageError
from zoo.training.arithmetic import (
    choose_device,
    choose_memory_format,
    choose_precision,
    gradients_laid_out,
    in_precision,
    suits_bf16,
)

CPU = torch.device("cpu")


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))


def test_in_bf16_the_products_are_bf16_and_weights_gradients_and_logits_fp32():
    """Autocast is around the forward pass alone."""
    model, seen = network(), []
    model[-1].register_forward_hook(lambda *call: seen.append(call[2].dtype))
    logits = in_precision(model, "bf16", CPU)(torch.randn(5, 1, 8, 8))
    logits.square().mean().backward()
    assert seen == [torch.bfloat16]
    assert logits.dtype == torch.float32
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert {p.grad.dtype for p in model.parameters() if p.grad is not None} == {torch.float32}


def test_in_fp16_the_products_are_fp16_and_logits_fp32():
    """As in bf16; on an Apple GPU it is refused."""
    model, seen = network(), []
    model[-1].register_forward_hook(lambda *call: seen.append(call[2].dtype))
    assert in_precision(model, "fp16", CPU)(torch.randn(5, 1, 8, 8)).dtype == torch.float32
    assert seen == [torch.float16]
    assert choose_precision("fp16", CPU) == "fp16"
    with pytest.raises(UsageError, match="--precision fp16 is for CUDA devices and CPUs"):
        choose_precision("fp16", torch.device("mps"))


def test_the_criterion_runs_outside_autocast_on_fp32_logits(tmp_path):
    """In training and in evaluation, as a whole run sees it."""
    seen = set()

    def criterion(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        seen.add((logits.dtype, torch.is_autocast_enabled("cpu")))
        return nn.functional.cross_entropy(logits, targets)

    run = zoo.train(
        network(), data=small_dataset(), criterion=criterion, epochs=1, precision="bf16", out=tmp_path / "r"
    )
    assert seen == {(torch.float32, False)}
    assert run.config.train.precision == "bf16"


@pytest.mark.parametrize("entry", [e for e in zoo.entries("criteria") if e.own and e.plugin == "torch"], ids=str)
def test_every_criterion_is_finite_on_the_logits_of_a_bf16_model(entry):
    """Logits of some hundreds, as an untrained deep net may give, overflow or vanish in half precision."""
    criterion = zoo.create("criteria", entry.full_name)
    logits = in_precision(nn.Linear(4, 3), "bf16", CPU)(torch.randn(6, 4)) * 300
    logits.retain_grad()
    loss = criterion(logits, torch.arange(6) % 3)
    loss.backward()
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize(
    ("abilities", "expected"),
    [({}, "fp32"), ({"avx512_f": True}, "fp32"), ({"avx512_bf16": True}, "bf16"), ({"amx_bf16": True}, "bf16")],
)
def test_auto_is_bf16_where_the_cpu_has_instructions_for_it(monkeypatch, abilities, expected):
    """A rule over abilities, so it repeats; what was asked for is taken as it is."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: abilities, raising=False)
    assert choose_precision("auto", CPU) == expected
    assert choose_precision("fp32", CPU) == "fp32"
    assert choose_precision("bf16", CPU) == "bf16"


@pytest.mark.parametrize("supported", [True, False])
def test_torch_2_10_tells_its_abilities_one_by_one(monkeypatch, supported):
    """The floor among the requirements has no list of them."""
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: supported)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert choose_precision("auto", CPU) == ("bf16" if supported else "fp32")


@pytest.mark.parametrize(
    ("name", "suits"),
    [
        ("mobilenetv3_small_050", False),
        ("tf_efficientnet_lite0", False),
        ("resnet18", True),
        ("vit_tiny_patch16_224", True),
    ],
)
def test_depthwise_networks_are_left_in_fp32_on_cpus(name, suits):
    """By what they consist of; on other devices every network suits."""
    with torch.device("meta"):
        model = timm.create_model(name)
    assert suits_bf16(model, CPU) == suits
    assert suits_bf16(model, torch.device("cuda"))


def test_a_depthwise_run_on_a_cpu_with_bf16_is_fp32_unless_asked(monkeypatch, tmp_path):
    """And that is what is recorded; a network of the common kind is in bf16 there."""
    monkeypatch.setattr("zoo.training.arithmetic.has_fast_bf16", lambda _: True)
    monkeypatch.chdir(tmp_path)
    depthwise = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3, groups=4), nn.Flatten(), nn.Linear(64, 3))
    settings = {"data": small_dataset(), "epochs": 1, "device": "cpu"}
    assert zoo.train(depthwise, **settings).config.train.precision == "fp32"
    assert zoo.train(depthwise, **settings, precision="bf16").config.train.precision == "bf16"
    assert zoo.train(network(), **settings).config.train.precision == "bf16"


def test_a_run_records_what_auto_came_to(tmp_path):
    """No setting of a finished run is left open."""
    run = zoo.train(network(), data=small_dataset(), epochs=1, device="cpu", out=tmp_path / "run")
    settings = run.config.train
    assert settings.precision == choose_precision("auto", CPU)
    assert settings.memory_format == "channels_last"
    assert settings.device == "cpu"
    assert settings.threads == torch.get_num_threads()


def test_channels_last_is_for_networks_with_convolutions():
    """A multilayer perceptron has nothing to gain."""
    assert choose_memory_format("auto", network(), CPU) == torch.channels_last
    assert choose_memory_format("auto", nn.Linear(4, 3), CPU) == torch.contiguous_format
    assert choose_memory_format("contiguous", network(), CPU) == torch.contiguous_format


def test_a_run_keeps_gradients_in_the_layout_of_what_was_flattened(tmp_path):
    """Else all layers before it go over gradients and activations in different orders.

    No bit changes behind max-pooling and ReLU.
    """
    model, strides = network(), []
    model[2].register_full_backward_hook(lambda *call: strides.append(call[2][0].stride()))
    zoo.train(model, data=small_dataset(), epochs=1, device="cpu", out=tmp_path / "run")
    assert {stride[1] for stride in strides} == {1}  # from a channel to the next
    inputs, gradients = torch.randn(5, 1, 8, 8).to(memory_format=torch.channels_last), []
    for laid_out in (nullcontext(), gradients_laid_out(model)):
        model.zero_grad()
        with laid_out:
            model(inputs).square().mean().backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    assert all(map(torch.equal, *gradients))
    assert {stride[1] for stride in strides} == {1, 36}  # nothing is left of it afterwards


def test_a_layer_that_sums_before_a_flattening_gives_another_result_by_rounding_alone():
    """Batch norm sums gradients in the order of memory."""
    torch.manual_seed(0)
    layers = nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8 * 36, 3)
    model, inputs, gradients = nn.Sequential(*layers), torch.randn(5, 1, 8, 8), []
    for laid_out in (nullcontext(), gradients_laid_out(model)):
        model.zero_grad()
        with laid_out:
            model(inputs.to(memory_format=torch.channels_last)).square().mean().backward()
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in model.parameters()]))
    assert torch.allclose(*gradients, rtol=1e-4, atol=1e-6)


class Stopped(torch.autograd.Function):
    """Let no gradient through."""

    @staticmethod
    def forward(ctx, inputs):
        return inputs.clone()

    @staticmethod
    def backward(ctx, gradient):
        return None


def test_a_gradient_that_stops_behind_a_flattening_stays_none():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten())
    with gradients_laid_out(model):
        Stopped.apply(model(torch.randn(5, 1, 8, 8).to(memory_format=torch.channels_last))).sum().backward()
    assert model[0].weight.grad is None


def test_a_models_vmap_may_flatten():
    """What is within tells no layout, and is left alone."""
    flatten = nn.Flatten(0)
    with gradients_laid_out(flatten):
        images = torch.randn(5, 2, 4, 4, requires_grad=True).to(memory_format=torch.channels_last)
        assert torch.equal(torch.vmap(flatten)(images), images.flatten(1))


def test_a_device_that_is_not_here_is_refused(monkeypatch):
    """The message says which there are."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto") == CPU
    with pytest.raises(UsageError, match=r"--device cuda is not available to this torch .*; there is: cpu"):
        choose_device("cuda")
