"""Before a run begins, its optimizer is tried: can it stop and go on to the bit?"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from small_optimizers import Odd, network, train
from torch import nn
from torch.optim import SGD, AdamW

import zoo
from zoo.errors import UsageError
from zoo.records.optimizer_state import pack
from zoo.training.optimizer_trial import check_packable


def test_the_trial_estimates_the_state_s_bytes() -> None:
    """Two moments as large as the parameters, and a count for each of them."""
    model = network()
    elements = sum(parameter.numel() for parameter in model.parameters())
    estimate = check_packable(AdamW(model.parameters()), dict(model.named_parameters()))
    assert estimate == 4 * (2 * elements + len(list(model.parameters())))


def test_the_trial_changes_nothing() -> None:
    """Neither parameters, gradients, state, groups nor what any generator draws next; not even under a scheduler."""
    model = network()
    optimizer = zoo.create("optimizers", "torch/adamw", params=model.parameters())
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    train(model, optimizer, 0, 2)
    scheduler.step()
    parameters = dict(model.named_parameters())

    def everything() -> str:
        tensors, data = pack(optimizer, parameters)
        grads = [parameter.grad for parameter in model.parameters()]
        draws = (random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist())
        return str([tensors, data, list(model.state_dict().values()), grads, draws, sorted(vars(optimizer))])

    before = everything()
    check_packable(optimizer, parameters)
    assert everything() == before


class Noisy(SGD):
    """Draws from every generator."""

    def step(self, closure: Any = None) -> Any:
        with torch.no_grad():
            for parameter in self.param_groups[0]["params"]:
                parameter.add_(torch.randn_like(parameter) * (random.random() + np.random.rand()))
        return super().step(closure)


def test_an_optimizer_that_draws_random_numbers_passes_the_trial() -> None:
    """Both copies draw the same, and afterwards the generators are where they were."""
    model = network()
    states = random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()
    check_packable(Noisy(model.parameters(), lr=0.1), dict(model.named_parameters()))
    assert (random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()) == states


class Forgetful(SGD):
    """Counts its steps where state_dict() does not look."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.count = 0

    def step(self, closure: Any = None) -> Any:
        self.count += 1
        for group in self.param_groups:
            group["lr"] = 0.1 / self.count
        return super().step(closure)


def test_hidden_state_is_found_before_training() -> None:
    """The message names the optimizer and the reason."""
    model = network()
    with pytest.raises(
        UsageError, match=r"optimizer Forgetful does not go on with the same bits .* keeps state elsewhere"
    ):
        check_packable(Forgetful(model.parameters(), lr=0.1), dict(model.named_parameters()))


def test_state_that_cannot_be_kept_is_found_before_training() -> None:
    """The message names the optimizer, the place and the type."""

    class Grouping(Odd):
        value = frozenset()

    model = network()
    with pytest.raises(UsageError, match=r"optimizer Grouping cannot be checkpointed: state/scale/odd is a frozenset"):
        check_packable(Grouping(model.parameters(), lr=0.1), dict(model.named_parameters()))


def test_an_optimizer_that_needs_a_closure_is_found_before_training() -> None:
    """The loop calls step() alone."""
    model = network()
    with pytest.raises(UsageError, match=r"optimizer LBFGS failed on a trial step, .*closure"):
        check_packable(torch.optim.LBFGS(model.parameters()), dict(model.named_parameters()))


def test_an_optimizer_of_other_parameters_is_refused() -> None:
    """A parameter that the model does not name has no name to be kept under."""
    model, other = network(), nn.Linear(7, 3)
    optimizer = AdamW([*model.parameters(), *other.parameters()])
    with pytest.raises(UsageError, match=r"AdamW has a parameter of shape \(3, 7\) that is none of the model's"):
        check_packable(optimizer, dict(model.named_parameters()))


def test_an_unusual_state_dict_is_refused() -> None:
    """What zoo cannot read the parameters' numbers from is no standard state_dict()."""

    class Two(SGD):
        def state_dict(self) -> dict[str, Any]:
            return {"first": super().state_dict(), "second": {}}

    model = network()
    with pytest.raises(UsageError, match=r"optimizer Two cannot be checkpointed: its state_dict\(\) has not the form"):
        check_packable(Two(model.parameters(), lr=0.1), dict(model.named_parameters()))


class Prepared(SGD):
    """Makes its state when it is constructed, as torch 2.10's Adagrad does."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for group in self.param_groups:
            for parameter in group["params"]:
                self.state[parameter]["sum"] = torch.full_like(parameter, 0.5)
                self.state[parameter]["step"] = torch.tensor(0.0)

    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self.state[parameter]["sum"] += parameter.grad.square()
                    self.state[parameter]["step"] += 1
        return super().step(closure)


def test_a_state_that_is_made_with_the_optimizer_is_tried_too() -> None:
    """The copies have it, as large as their small parameters; the real one stays as it was."""
    model = network()
    optimizer = Prepared(model.parameters(), lr=0.1)
    check_packable(optimizer, dict(model.named_parameters()))
    assert all(state["step"] == 0 and (state["sum"] == 0.5).all() for state in optimizer.state.values())
