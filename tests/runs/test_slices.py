"""Runs whose batches are cut into slices."""

from __future__ import annotations

import signal

import pytest
from small_images import small_dataset
from storm import outcome
from torch import nn

import zoo
from zoo.errors import Interrupted, UsageError
from zoo.runs.reporting import Reporter


class StoppingAt(Reporter):
    """Sends this process SIGTERM after a step."""

    def __init__(self, step: int):
        self.at = step

    def step(self, progress):
        if progress.step == self.at:
            signal.raise_signal(signal.SIGTERM)


def model(num_classes: int, in_channels: int, image_size: tuple[int, int]):
    features = in_channels * image_size[0] * image_size[1]
    layers = [nn.Linear(features, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, num_classes)]
    return nn.Sequential(nn.Flatten(), *layers)


def train(reporter=None, **settings):
    settings = {"model": model, "data": small_dataset(), "epochs": 3, "batch_size": 8, "threads": 1, **settings}
    return zoo.train(reporter=reporter, **settings)


def test_one_slice_is_the_run_of_today(tmp_path):
    """Nothing is seeded anew and nothing copied: also where batches accumulate."""
    settings = {"accumulate": 2, "ema": 0.9, "clip_norm": 1.0}
    assert outcome(train(out=tmp_path / "a", slices=1, **settings).directory) == outcome(
        train(out=tmp_path / "b", **settings).directory
    )


def plain(num_classes: int, in_channels: int, image_size: tuple[int, int]):
    features = in_channels * image_size[0] * image_size[1]
    return nn.Sequential(nn.Flatten(), nn.Linear(features, 8), nn.Tanh(), nn.Linear(8, num_classes))


@pytest.mark.parametrize("slices", [2, 3, 8])
def test_forty_sliced_steps_are_unsliced_ones_but_for_rounding(tmp_path, slices):
    """Without batch norm and dropout no weight is further off than 1e-5; epochs end with a shorter batch.

    In single precision: in bf16 a difference in a weight's last bit may be one in the fourth digit of its product.
    """
    models = [
        train(model=plain, steps=40, slices=count, precision="fp32", out=tmp_path / str(count)).model.state_dict()
        for count in (1, slices)
    ]
    differences = [float((one - models[1][name]).abs().max()) for name, one in models[0].items()]
    assert 0 < max(differences) <= 1e-5


@pytest.mark.parametrize("step", [3, 7, 9])
def test_a_sliced_run_that_was_stopped_ends_with_the_same_bits(tmp_path, step):
    """In an epoch and at its end; batch norm, dropout, mixed images, averaged weights, accumulation."""
    settings = {"slices": 3, "accumulate": 2, "ema": 0.9, "augment": "mixup", "log_every": 2}
    whole = train(out=tmp_path / "whole", **settings)
    with pytest.raises(Interrupted):
        train(out=tmp_path / "run", reporter=StoppingAt(step), **settings)
    assert outcome(train(out=tmp_path / "run", **settings).directory) == outcome(whole.directory)


def test_the_slices_are_recorded_and_kept(tmp_path):
    """They belong to the run: the same command without them goes on with it, other ones are another run's."""
    run = train(out=tmp_path / "run", slices=3)
    assert run.config.train.slices == 3
    assert train(out=tmp_path / "run").config.train.slices == 3
    with pytest.raises(UsageError, match=r"train\.slices is 3 there and 2 here"):
        train(out=tmp_path / "run", slices=2)
    assert train(out=tmp_path / "other").config.train.slices == 1


def test_a_run_from_before_there_were_slices_has_one(tmp_path):
    """Its configuration does not tell of any."""
    config = train(out=tmp_path / "run").directory / "config.toml"
    config.write_text(config.read_text().replace("slices = 1\n", ""))
    assert train(out=tmp_path / "run", slices=1).config.train.slices in (None, 1)
    with pytest.raises(UsageError, match=r"train\.slices is 1 there and 2 here"):
        train(out=tmp_path / "run", slices=2)


def test_a_window_of_the_log_counts_batches_whatever_their_slices(tmp_path):
    """``--log-every 2`` prints at batches 2, 4, 6 and at the last."""
    told = []

    class Listening(Reporter):
        def window(self, epoch, batch, loss):
            told.append(batch)

    train(Listening(), epochs=1, slices=4, log_every=2, out=tmp_path / "run")
    assert told == [2, 4, 6, 7]
