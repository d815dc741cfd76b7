"""Scaled losses in half precision: exact, and a step that overflowed is none."""

from __future__ import annotations

import copy
import json
import signal

import pytest
import torch
from small_images import small_dataset
from storm import outcome
from torch import nn

import zoo
from zoo.data import Batch
from zoo.errors import Interrupted, ZooError
from zoo.runs.reporting import Reporter
from zoo.training import loss_scale
from zoo.training.averaging import Average
from zoo.training.loss_scale import LossScale
from zoo.training.updates import Updates


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 3))


def put_gradients(model: nn.Module, value: float) -> None:
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, value)


@pytest.mark.parametrize("share", [None, torch.tensor(0.25)])
def test_scaling_a_loss_changes_no_bit_of_a_gradient(share):
    """The scale is a power of two, on the share of each batch and off the gradients."""
    batch, found = Batch(torch.randn(6, 64), torch.arange(6) % 3, share), []
    for scale in (None, LossScale(network())):
        model = network()
        (one,) = [batch] if scale is None else (scale := LossScale(model)).scaled([batch])
        nn.functional.cross_entropy(model(one.inputs), one.targets).backward(one.share)
        assert scale is None or scale.unscale()
        found.append([parameter.grad for parameter in model.parameters()])
    assert all(map(torch.equal, *found))


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_skipped_step_moves_nothing_but_the_scale(value):
    """Not the weights, the optimizer's state, the rate or the average; the next one goes on as if it had not been."""
    models = [network(), network()]
    made = []
    for model in models:
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        made.append(Updates(optimizer, schedule, average=Average(model, 0.9), scale=LossScale(model)))
    for updates, model in zip(made, models, strict=True):
        put_gradients(model, 2.0**16)
        updates.step()
        assert not updates.skipped
    before = copy.deepcopy(models[0].state_dict())
    put_gradients(models[0], value)
    made[0].step()
    assert made[0].skipped
    assert made[0].lr == made[1].lr == 0.05
    assert made[0].average.updates == 1
    assert all(torch.equal(tensor, before[name]) for name, tensor in models[0].state_dict().items())
    assert (made[0].scale.scale, made[1].scale.scale) == (2.0**15, 2.0**16)
    for updates, model in zip(made, models, strict=True):
        put_gradients(model, 3 * updates.scale.scale)
        updates.step()
    assert not made[0].skipped
    assert all(map(torch.equal, models[0].state_dict().values(), models[1].state_dict().values()))


def test_the_scale_grows_after_enough_good_steps_in_a_row(monkeypatch):
    """A skipped one begins the count anew; a restored scale counts on."""
    monkeypatch.setattr(loss_scale, "_PATIENCE", 3)
    model = network()
    scale = LossScale(model)
    for value in (1.0, 1.0, float("inf"), 1.0, 1.0):
        put_gradients(model, value)
        scale.unscale()
    other = LossScale(model)
    other.restore(json.loads(json.dumps(scale.state())))
    for each in (scale, other):
        assert each.scale == 2.0**15
        put_gradients(model, 1.0)
        assert each.unscale()
        assert each.scale == 2.0**16


def test_gradients_that_are_never_finite_end_the_run():
    """Rather than an epoch without a step; the loss itself may be finite."""
    model = network()
    scale = LossScale(model)
    put_gradients(model, float("nan"))
    assert not any(scale.unscale() for _ in range(40))
    with pytest.raises(ZooError, match=r"not finite in fp16, however small .* Try --precision bf16 or fp32"):
        scale.unscale()


class StoppingAt(Reporter):
    """Sends this process SIGTERM after a step."""

    def __init__(self, step: int):
        self.at = step

    def step(self, progress):
        if (progress.step, progress.position) == self.at:
            signal.raise_signal(signal.SIGTERM)


def steep(logits, targets):
    """A loss whose gradients, times the first scale, are beyond float16."""
    return nn.functional.cross_entropy(logits, targets) * 20


@pytest.mark.parametrize("place", [(0, 2), (3, 0)])
def test_a_run_in_fp16_that_was_stopped_ends_with_the_same_bits(tmp_path, place):
    """Among the first steps, which overflow, and at the end of an epoch; they are no steps of the run."""
    settings = {
        "data": small_dataset(),
        "criterion": steep,
        "epochs": 2,
        "batch_size": 8,
        "precision": "fp16",
        "ema": 0.9,
        "clip_norm": 1.0,
        "threads": 1,
    }
    whole = zoo.train(network(), **settings, out=tmp_path / "whole")
    skipped = 2 * 7 - whole.metrics[-1].step
    assert 0 < skipped < 7
    assert whole.config.train.precision == "fp16"
    stopping = StoppingAt(place if place[0] == 0 else (7 - skipped, 7))
    with pytest.raises(Interrupted):
        zoo.train(network(), **settings, out=tmp_path / "run", reporter=stopping)
    assert outcome(zoo.train(network(), **settings, out=tmp_path / "run").directory) == outcome(whole.directory)
