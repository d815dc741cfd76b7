"""timm's classifiers: their names, their sizes, their options."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from zoo_timm import names

import zoo
from zoo.training.layer_groups import layer_groups

FACTS = {"num_classes": 7, "in_channels": 1, "image_size": (28, 28)}


def create(name: str, **options: object) -> torch.nn.Module:
    model: torch.nn.Module = zoo.create("models", f"timm/{name}", **{**FACTS, **options})
    return model


def test_the_names_are_those_that_timm_lists():
    """Read from source files, they are exactly timm.list_models() without the encoders."""
    import timm

    listed = set(timm.list_models())
    assert set(names.model_names()) == {name for name in listed if not name.endswith("_enc")}
    assert len(listed) > 1000


def test_only_encoders_are_left_out():
    """Every name that zoo does not offer is a model that timm itself calls an encoder."""
    import timm
    from timm.models import model_entrypoint

    for name in set(timm.list_models()) - set(names.model_names()):
        returned = model_entrypoint(name).__annotations__["return"]
        assert getattr(returned, "__name__", str(returned)).endswith("Encoder"), name


def test_registering_imports_neither_torch_nor_timm():
    """Listing 1,364 models costs what reading timm's files costs."""
    code = (
        "import sys; from types import SimpleNamespace; import zoo_timm; names = [];"
        "f = lambda name, *_, **__: names.append(name);"
        "zoo_timm.register(SimpleNamespace(model=f, optimizer=f, criterion=f));"
        "assert len(names) > 1000; assert not {'torch', 'timm'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_timm_that_cannot_be_scanned_is_imported(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    """Should timm's files change, the names come from timm itself, and one line says so."""
    scanned = names.model_names()
    monkeypatch.setattr(zoo, "decorated_functions", lambda *_: {})
    with caplog.at_level(logging.WARNING):
        assert set(names.model_names()) == set(scanned)
    assert "imports it to list its models" in caplog.text


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("resnet18", (28, 28)),
        ("mobilenetv3_small_050", (28, 28)),
        ("vit_tiny_patch16_224", (32, 32)),
        pytest.param("vgg11", (32, 32), marks=pytest.mark.slow),
    ],
)
def test_a_model_runs_at_its_size_and_sees_every_part_of_it(name: str, size: tuple[int, int]):
    """It trains on images of 28 x 28, resized where it says so, and every eighth of the input matters."""
    torch.manual_seed(0)
    model = create(name).train()
    assert getattr(model, "input_size", (28, 28)) == size
    inputs = torch.randn(4, 1, *size, requires_grad=True)
    logits = model(inputs)
    assert logits.shape == (4, 7)
    torch.nn.functional.cross_entropy(logits, torch.arange(4)).backward()
    assert inputs.grad is not None
    parts = torch.nn.functional.adaptive_max_pool2d(inputs.grad.abs(), 8)
    assert parts.amin() > 0


def test_a_rectangle_keeps_its_sides_apart():
    """Patches of 16 make 96 x 70 pixels 96 x 80."""
    assert create("vit_tiny_patch16_224", image_size=(96, 70)).input_size == (96, 80)


def test_a_size_may_be_asked_for():
    """A larger one than the smallest is taken as it is; one that leaves pixels out is refused."""
    assert create("vit_tiny_patch16_224", input_size=64).input_size == (64, 64)
    with pytest.raises(zoo.UsageError, match=r"50 x 50 pixels as they are; input_size=\[64, 64\] works"):
        create("vit_tiny_patch16_224", input_size=50)


def test_options_reach_timm():
    """Dropout and a keyword that only this family has."""
    model = create("vit_tiny_patch16_224", drop_rate=0.3, extra={"depth": 2})
    assert model.head_drop.p == 0.3
    assert len(model.blocks) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"drop_rate": 2.0}, r"drop_rate must be in \[0, 1\), not 2.0"),
        ({"extra": {"depht": 2}}, "depht"),
        ({"drop_path_rate": 0.1}, "drop_path_rate"),
        ({"pretrained": True, "tag": "nonsense"}, "timm has no weights 'nonsense' for vgg11; there are: tv_in1k"),
    ],
)
def test_an_option_that_the_model_does_not_take_is_one_line(options: dict[str, object], message: str):
    """The line is timm's own word, or zoo's where timm would crash later."""
    with pytest.raises(zoo.UsageError, match=message) as caught:
        create("vgg11", **options)
    assert "\n" not in str(caught.value)


def test_weights_that_cannot_be_had_are_one_line_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Without a network, nobody waits for ten retries."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(zoo.ZooError, match=r"timm/resnet18 are not on this machine and the hub cannot be reached"):
        create("resnet18", pretrained=True)


def test_the_same_seed_gives_the_same_weights_whatever_was_tried():
    """Looking for a size draws nothing from the generator."""
    states = []
    for options in ({}, {"input_size": 32}):
        torch.manual_seed(5)
        states.append(create("vit_tiny_patch16_224", extra={"depth": 1}, **options).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize("name", ["test_efficientnet", "test_vit"])
def test_layer_groups_are_those_that_timms_own_decay_goes_by(name):
    """One scale within each group, a larger one from group to group."""
    from timm.optim import param_groups_layer_decay

    model = create(name)
    decayed = param_groups_layer_decay(model, layer_decay=0.5)
    scales = {id(parameter): group["lr_scale"] for group in decayed for parameter in group["params"]}
    parameters = dict(model.named_parameters())
    found = [{scales[id(parameters[each])] for each in group} for group in layer_groups(model)]
    assert all(len(scale) == 1 for scale in found)
    assert len(found) > 3
    assert found == sorted(found, key=min)
