"""The learning-rate range test: right on a problem whose answer is known, and without a trace."""

from __future__ import annotations

import copy
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_images import small_dataset
from torch import nn
from tunable_net import tunable

import zoo
from zoo.data import Dataset, TensorImages
from zoo.training.lr_range import RangeTest
from zoo.training.probing import Probe

SMALL = {"data": small_dataset(), "batch_size": 16, "validation": 12, "threads": 1}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)


def doubtful() -> Dataset:
    """Return images, a third of whose labels are drawn, too many for a linear layer to learn by heart."""
    known = small_dataset(300)
    drawn = torch.randint(3, (300,), generator=torch.Generator().manual_seed(0))
    labels = torch.where(torch.arange(300) % 9 < 3, drawn, known.train.labels)
    return replace(known, train=TensorImages(known.train.images, labels))


def small_net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3))


def test_the_rates_rise_evenly_to_where_the_loss_is_lost():
    """By one factor a step; a rate that is far too high ends the test."""
    found = zoo.lr_range(
        small_net(), optimizer="sgd", lowest=1e-4, highest=1e4, steps=40, **{**SMALL, "data": doubtful()}
    )
    factors = np.diff(np.log(found.rates))
    np.testing.assert_allclose(factors, np.log(1e8) / 39, rtol=1e-6)
    assert found.rates[0] == pytest.approx(1e-4)
    assert 10 < len(found.rates) < 40
    assert found.losses[-1] > 4 * min(found.losses)
    assert 1e-4 < found.suggestion < 1e-1
    assert found.suggestion < found.rates[-1] / 10


def test_it_trains_as_a_run_does_in_the_same_order_with_the_same_losses():
    """At one rate, its losses have the mean of an epoch of such a run."""
    given = {**SMALL, "optimizer": "sgd", "scheduler": "constant", "report": False}
    run = zoo.train(small_net(), lr=1e-2, epochs=1, out="run", **given)
    same = zoo.lr_range(small_net(), optimizer="sgd", lowest=1e-2, highest=1.000001e-2, steps=3, **SMALL)
    assert np.mean(same.losses) == pytest.approx(run.metrics[0].loss, rel=1e-5)


def test_the_module_that_is_given_and_all_random_numbers_stay_what_they_were():
    """A copy is trained, and the process's generators are put back."""
    net = small_net()
    before, states = (
        copy.deepcopy(net.state_dict()),
        (torch.get_rng_state(), np.random.get_state()[1], random.getstate()),
    )
    zoo.lr_range(net, steps=3, **SMALL)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])
    assert random.getstate() == states[2]
    assert list(Path().iterdir()) == []


def test_where_weights_are_tuned_it_begins_at_the_probe_and_keeps_the_layers_proportions():
    """The loss begins low, and the rate is the head's."""
    given = {**SMALL, "options": {"model.pretrained": True}}
    tuned = zoo.lr_range(tunable, steps=4, lowest=1e-6, highest=1e-5, **given)
    plain = zoo.lr_range(tunable, steps=4, lowest=1e-6, highest=1e-5, tune="off", **given)
    assert tuned.losses[0] < 0.7 * plain.losses[0]
    assert tuned.rates[0] == pytest.approx(1e-6)


def test_the_suggestion_is_a_tenth_of_where_the_loss_was_last_low():
    """A valley: after its lowest point, within a twentieth of its depth. A plain that rises: where it does."""
    rates = tuple(10.0 ** (place / 20) for place in range(-120, 21))
    valley = RangeTest(rates, tuple(2.0 if r < 1e-3 else 1.0 if r < 1e-1 else 5.0 for r in rates))
    assert 3e-3 < valley.suggestion < 1.5e-2
    plain = RangeTest(rates, tuple(0.01 if r < 1e-2 else 1.0 for r in rates))
    assert 5e-4 < plain.suggestion < 1.1e-3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lowest": 1.0, "highest": 0.1}, "the rates must rise from above 0, not from 1 to 0.1"),
        ({"tune": "probe"}, "--tune probe takes no steps"),
        ({"optimizer": torch.optim.SGD(small_net().parameters(), 0.1)}, "give its name"),
    ],
    ids=["rates", "probe", "optimizer"],
)
def test_what_cannot_be_tested_is_told(settings, message):
    """In one line."""
    with pytest.raises(zoo.UsageError, match=message):
        zoo.lr_range(small_net(), **SMALL, **settings)


def test_the_head_is_not_fitted_anew_at_the_end(monkeypatch: pytest.MonkeyPatch):
    """That is of no use to the steps, and the last of them may have ruined the weights. The probe is fitted."""
    fit, fitted = Probe.fit, []
    monkeypatch.setattr(Probe, "fit", lambda probe, *given: fitted.append(probe) or fit(probe, *given))
    assert zoo.lr_range(tunable, options={"model.pretrained": True}, highest=1e-6, steps=3, **SMALL).rates
    assert len(fitted) == 1
