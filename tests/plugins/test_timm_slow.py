"""timm's and torchvision's classifiers through zoo: a changing sample of all of them, and twenty that train."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

import zoo

ROOT = Path(__file__).parents[2]
SMALL = [
    "timm/coat_lite_tiny",
    "timm/convnext_atto",
    "timm/edgenext_xx_small",
    "timm/efficientformerv2_s0",
    "timm/ghostnet_100",
    "timm/lcnet_050",
    "timm/levit_128s",
    "timm/mixer_s32_224",
    "timm/mobilenetv3_small_050",
    "timm/mobilevit_xxs",
    "timm/pit_ti_224",
    "timm/poolformer_s12",
    "timm/regnetx_002",
    "timm/repvit_m0_9",
    "timm/resnet10t",
    "timm/tinynet_e",
    "timm/vit_tiny_patch16_224",
    "torchvision/mobilenet_v3_small",
    "torchvision/shufflenet_v2_x0_5",
    "torchvision/squeezenet1_1",
]


def coverage() -> ModuleType:
    """Import the command that writes docs/reference/coverage.md."""
    path = ROOT / "tests" / "benchmarks" / "coverage.py"
    specification = importlib.util.spec_from_file_location("zoo_coverage", path)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    import sys

    sys.modules["zoo_coverage"] = module  # dataclasses look their module up
    specification.loader.exec_module(module)
    return module


def changing_seed() -> int:
    """Return ``$ZOO_SAMPLE_SEED``, else a number that changes with the commit and the day."""
    if chosen := os.environ.get("ZOO_SAMPLE_SEED"):
        return int(chosen)
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, cwd=ROOT, check=False)
    return int(f"{int(head.stdout[:8] or '0', 16)}{date.today():%j}")


@pytest.mark.slow
def test_a_changing_sample_builds_and_runs():
    """150 classifiers, others each time, run forward and backward on the meta device."""
    command, seed = coverage(), changing_seed()
    print(f"ZOO_SAMPLE_SEED={seed}")
    outcomes = [command.run(name) for name in command.sample(command.names(), 150, seed)]
    failed = [(outcome.name, outcome.fault) for outcome in outcomes if outcome.fault]
    assert not failed, f"ZOO_SAMPLE_SEED={seed}: {failed}"


@pytest.mark.slow
def test_the_page_counts_what_is_offered_now():
    """docs/reference/coverage.md was written for as many models as are offered with these versions."""
    command = coverage()
    text = (ROOT / "docs" / "reference" / "coverage.md").read_text()
    for plugin in command.PLUGINS:
        offered = sum(name.startswith(f"{plugin}/") for name in command.names())
        assert f"| {plugin} | {offered} |" in text


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_a_small_model_learns_and_sees_its_whole_input(name: str):
    """A few real steps on eight digits lower the loss; every region of the input has a gradient."""
    dataset = zoo.create("datasets", "mnist/mnist")
    images, labels = dataset.train.batch(torch.arange(8))
    torch.manual_seed(0)
    model = zoo.create("models", name, num_classes=10, in_channels=1, image_size=(28, 28)).train()
    size = getattr(model, "input_size", (28, 28))
    inputs = nn.functional.interpolate(images.float() / 255, size, mode="bilinear", antialias=True).requires_grad_()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.001)
    losses = []
    for _ in range(6):
        loss = nn.functional.cross_entropy(model(inputs), labels)
        optimizer.zero_grad()
        inputs.grad = None
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert min(losses[1:]) < losses[0]
    assert inputs.grad is not None
    assert nn.functional.adaptive_max_pool2d(inputs.grad.abs(), 7).amin() > 0
