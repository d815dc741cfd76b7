"""Gradients that are sent while the backward pass goes on: the same bits, in one order, and never too soon."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import nullcontext

import pytest
import torch
from sliced import network, same, train
from threads import Hall, Member
from torch import distributed, nn
from torch.utils.checkpoint import checkpoint

from zoo.errors import PluginError
from zoo.training import sums
from zoo.training.sums import Peers, row_sum


class Sending(Member):
    """A thread's world, whose all-reduces are noted, and come early or else in the end."""

    def __init__(self, hall: Hall, rank: int, *, early: bool) -> None:
        super().__init__(hall, rank)
        self.early, self.noted = early, list[object]()

    def row_sum(self, layout, slices, device, *, fast):
        found = row_sum(layout, slices, device, Peers(self.rank, self.size, False, nullcontext), fast=fast)
        found.early = found.early if self.early else ()
        start, add = found.start, found.add
        found.start = lambda: [self.noted.append("sent"), start()]
        found.add = lambda slices: [self.noted.append("added"), add(slices)]
        return found


class Noting(nn.Module):
    """Runs a model, and notes each forward pass."""

    def __init__(self, model: nn.Module, noted: list[object]) -> None:
        super().__init__()
        self.model, self.noted = model, noted

    def forward(self, inputs):
        self.noted.append("forward")
        return self.model(inputs)


def trained(monkeypatch, model, size, *, early, stretch=4, **how) -> list[tuple[nn.Module, list[object]]]:
    """Return what each of *size* processes trained, copies of *model*, and what it noted."""
    hall = Hall(size)
    monkeypatch.setattr(sums, "_STRETCH", stretch)
    monkeypatch.setattr(distributed, "all_reduce", hall.all_reduce)

    def work(rank):
        world, mine = Sending(hall, rank, early=early), copy.deepcopy(model)
        train(mine, world=world, fast=True, forward=Noting(mine, world.noted), **how)
        return mine, world.noted

    return hall.run(work)


class Partial(nn.Module):
    """Some slices use a weight in the middle, others do not; one weight nobody uses, and one is used twice."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.twice, self.head = nn.Linear(64, 8), nn.Linear(8, 8), nn.Linear(8, 3)
        self.seldom, self.unused = nn.Parameter(torch.ones(8)), nn.Parameter(torch.ones(3))

    def forward(self, inputs):
        hidden = self.twice(self.twice(self.first(inputs.flatten(1))).tanh())
        return self.head(hidden * self.seldom if inputs[0, 0, 0, 0] > 0 else hidden)


HOW = {
    "a slice each": {"slices": 3},
    "slices of several batches": {"slices": 4, "accumulate": 2},
    "a process without a slice": {"slices": 3, "count": 50},
    "weights that few use": {"slices": 4, "count": 50},
    "weights that stand still at first": {"slices": 4, "count": 50, "frozen": ["1.weight", "5.weight"]},
}


@pytest.mark.parametrize(("size", "name"), [(2, "a slice each"), *((3, name) for name in HOW)])
def test_a_step_has_the_same_bits_whether_its_gradients_were_sent_early(monkeypatch, size: int, name: str):
    """In each process, and those of one process but for rounding; a weight that no slice used has no gradient."""
    model = Partial() if name == "weights that few use" else network(p=0.0)
    alone = copy.deepcopy(model)
    train(alone, **HOW[name])
    early = trained(monkeypatch, model, size, early=True, **HOW[name])
    late = trained(monkeypatch, model, size, early=False, **HOW[name])
    for (one, _), (other, _) in zip(early, late, strict=True):
        assert same(one, other)
        assert same(one, early[0][0])
    for found, expected in zip(early[0][0].parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
        assert (found.grad is None) is (expected.grad is None)


def test_a_stretch_is_sent_in_the_backward_pass_of_the_last_slice_alone(monkeypatch):
    """Else something would be added to a row that is on its way. Each of six weights is a stretch, as is the rest."""
    (_, noted), _ = trained(monkeypatch, network(p=0.0), 2, early=True, slices=4, accumulate=2, count=32)
    assert noted == ["forward"] * 4 + ["sent"] * 6 + ["added", "sent"]
    (_, noted), _ = trained(monkeypatch, network(p=0.0), 2, early=False, slices=4, accumulate=2, count=32)
    assert noted == ["forward"] * 4 + ["added"] + ["sent"] * 7


def test_a_process_without_a_slice_sends_all_stretches_in_the_end(monkeypatch):
    """The others wait for it in each of them; Hall's threads would hang if it sent fewer."""
    told = trained(monkeypatch, network(p=0.0), 3, early=True, slices=3, count=4)  # two slices of two
    (_, idle), *others = told
    assert idle == ["added"] + ["sent"] * 7
    assert [noted for _, noted in others] == [["forward"] + ["sent"] * 6 + ["added", "sent"]] * 2


def test_what_is_small_goes_with_the_rest_at_once(monkeypatch):
    """A call costs more than what it hides, so no hook is set either."""
    (_, noted), _ = trained(monkeypatch, network(p=0.0), 2, early=True, stretch=2**22)
    assert set(noted[: noted.index("added")]) == {"forward"}
    assert noted[-2:] == ["added", "sent"]


def test_what_is_not_a_number_in_one_process_is_none_in_all(monkeypatch):
    """It travels with the gradients, and with the loss, by which the run ends."""

    class Bursting(nn.CrossEntropyLoss):
        def forward(self, logits, targets):
            return super().forward(logits, targets) * (float("nan") if 2 in targets else 1.0)

    for model, _ in trained(monkeypatch, network(p=0.0), 3, early=True, slices=3, count=4, criterion=Bursting()):
        assert all(parameter.isnan().all() for parameter in model[-1].parameters())


class Twice(nn.Module):
    """A block that is computed twice; if *reentrant*, each time by a backward pass of its own within the whole one."""

    def __init__(self, *, reentrant: bool) -> None:
        super().__init__()
        self.reentrant = reentrant
        self.first, self.block, self.head = nn.Linear(64, 8), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, inputs):
        hidden = self.first(inputs.flatten(1))
        for _ in range(2):
            hidden = checkpoint(self.block, hidden, use_reentrant=self.reentrant)
        return self.head(hidden)


def test_a_second_gradient_in_one_backward_pass_is_refused(monkeypatch):
    """The first one may be on its way; added to it, the second one would be lost without a word."""
    with pytest.raises(PluginError, match=r"a second gradient in one backward pass.*use_reentrant=False"):
        trained(monkeypatch, Twice(reentrant=True), 1, early=True)
    trained(monkeypatch, Twice(reentrant=True), 1, early=False)
    trained(monkeypatch, Twice(reentrant=False), 1, early=True)


def test_no_hook_stays_on_a_model(monkeypatch):
    """Neither after a run, nor after an error in it: who gets the model would keep all rows."""
    for model, _ in trained(monkeypatch, network(p=0.0), 2, early=True):
        assert not any(parameter._post_accumulate_grad_hooks for parameter in model.parameters())


@pytest.fixture
def group() -> Iterator[None]:
    """A group of one process: gloo itself, without anybody to wait for."""
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    try:
        yield
    finally:
        distributed.destroy_process_group()


@pytest.mark.slow
def test_a_compiled_model_s_gradients_are_sent_early(group, monkeypatch):
    """The hooks are the weights', and stand outside of what was compiled."""
    monkeypatch.setattr(sums, "_STRETCH", 4)
    plain, compiled = network(p=0.0), network(p=0.0)
    for model, forward in ((plain, None), (compiled, torch.compile(compiled, backend="aot_eager"))):
        world = Sending(Hall(1), 0, early=True)
        train(model, world=world, fast=True, forward=forward)
        assert world.noted.count("sent") == 4 * 7
        assert world.noted.index("sent") < world.noted.index("added")
    assert same(plain, compiled)
