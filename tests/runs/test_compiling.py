"""``--compile``: another way to compute, and the same run in every other respect."""

from __future__ import annotations

import functools

import pytest
import torch
from small_images import small_dataset
from torch import nn

import zoo


def small_net(num_classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Module:
    features = in_channels * image_size[0] * image_size[1]
    return nn.Sequential(
        nn.Flatten(), nn.Linear(features, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, num_classes)
    )


def train(out, **settings) -> zoo.Run:
    data = small_dataset(90)
    return zoo.train(small_net, data=data, epochs=2, batch_size=16, threads=1, ema=0.9, out=out, **settings)


def keys(run: zoo.Run) -> dict[str, list[str]]:
    """Return the names in the run's newest checkpoint, by file."""
    from zoo.records.checkpoints import CheckpointStore

    checkpoint = CheckpointStore(run.directory / "checkpoints").newest()
    return {part: sorted(checkpoint.tensors(part)) for part in checkpoint.names}


@pytest.fixture
def eager_backend(monkeypatch):
    """Let torch capture the model as it does for its compiler, but run what it captured as it is."""
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))


@pytest.mark.usefixtures("eager_backend")
def test_compiling_changes_no_key_and_no_bit(tmp_path):
    """A captured model's checkpoints have the plain one's names, without ``_orig_mod.``, and its bits."""
    plain, captured = train(tmp_path / "plain"), train(tmp_path / "captured", compile=True)
    assert keys(captured) == keys(plain)
    assert not any("_orig_mod" in key for part in keys(captured).values() for key in part)
    for name, value in plain.model.state_dict().items():
        assert torch.equal(captured.model.state_dict()[name], value), name
    assert captured.summary["test_loss"] == plain.summary["test_loss"]


@pytest.mark.usefixtures("eager_backend")
def test_evaluation_is_never_compiled(tmp_path, monkeypatch):
    """What a compiled run logs is what `zoo evaluate` finds, to the bit: both run the plain model."""
    options = {"data.limit": 64}
    run = zoo.train("mlp", epochs=1, threads=1, compile=True, options=options, out=tmp_path / "run")
    monkeypatch.setattr(torch, "compile", lambda _: pytest.fail("compiled"))
    assert zoo.evaluate(run)["loss"] == run.summary["test_loss"]
    assert zoo.evaluate(run, split="validation")["loss"] == run.metrics[0].val_loss


@pytest.mark.slow
def test_a_compiled_model_learns_as_the_plain_one(tmp_path):
    """With torch's real compiler the losses of each epoch agree to 1e-3, and the keys are the plain ones."""
    plain, compiled = train(tmp_path / "plain"), train(tmp_path / "compiled", compile=True)
    assert keys(compiled) == keys(plain)
    for ours, theirs in zip(compiled.metrics, plain.metrics, strict=True):
        assert ours.loss == pytest.approx(theirs.loss, rel=1e-3)
