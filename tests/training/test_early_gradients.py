"""Gradients that are sent while the backward pass goes on: the same bits, in one order, and never too soon."""

from __future__ import annotations

import copy
from contextlib import nullcontext

import pytest
import torch
from sliced import network, same, train
from small_images import preparation, small_split
from threads import Hall, Member
from torch import distributed, nn
from torch.utils.checkpoint import checkpoint

from zoo.data import TrainingBatches
from zoo.errors import PluginError
from zoo.training import sums
from zoo.training.fit import Progress, Task, fit
from zoo.training.losses import LossRecord
from zoo.training.rows import Field, RowLayout
from zoo.training.slices import Slices
from zoo.training.sums import Peers, row_sum
from zoo.training.updates import Updates


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


def test_a_second_gradient_after_the_first_was_sent_is_refused(monkeypatch):
    """Added to what is on its way, it would be lost without a word."""
    with pytest.raises(PluginError, match=r"a second gradient in one.*use_reentrant=False, or train in one process"):
        trained(monkeypatch, Twice(reentrant=True), 1, early=True)
    train(Twice(reentrant=True))
    trained(monkeypatch, Twice(reentrant=True), 1, early=False)
    trained(monkeypatch, Twice(reentrant=False), 1, early=True)


@pytest.mark.parametrize("slices", [2, 6])
def test_a_second_gradient_before_the_first_was_sent_is_added_to_it(monkeypatch, slices: int):
    """As autograd does it, before either is added to the row of several slices: the bits tell nothing."""
    how = {"slices": slices, "stretch": 500}  # the block's weights fill less; the first layer's are sent with them
    early = trained(monkeypatch, Twice(reentrant=True), 2, early=True, **how)
    late = trained(monkeypatch, Twice(reentrant=True), 2, early=False, **how)
    for (one, noted), (other, _) in zip(early, late, strict=True):
        assert same(one, other)
        assert noted.index("sent") < noted.index("added")


class Meeting(nn.SyncBatchNorm):
    """One that meets nobody, since there is no card here."""

    def forward(self, inputs):
        return nn.functional.batch_norm(inputs, None, None, self.weight, self.bias, training=True)


def test_nothing_is_sent_early_where_batch_norms_meet_in_the_backward_pass(monkeypatch):
    """Which gradients a process makes decides when a stretch is full: the calls of both would come in any order."""
    model = network(p=0.0)
    assert trained(monkeypatch, model, 2, early=True)[0][1].index("sent") == 2  # after two forward passes
    model[2] = Meeting(16)
    for _, noted in trained(monkeypatch, model, 2, early=True):
        assert noted[:4] == ["forward"] * 2 + ["added", "sent"]


class Sent:
    """What is on its way; it notes who waits for it."""

    def __init__(self, noted: list[object]) -> None:
        self._noted = noted

    def wait(self) -> None:
        self._noted.append("waited")


class Quiet:
    """A listener that does nothing."""

    def step_finished(self) -> None:
        """Go on."""

    def epoch_finished(self, result) -> None:
        """Go on."""


def sliced_task(model: nn.Module) -> Task:
    """Return one step of four slices in a process that sends early."""
    losses, world = LossRecord(), Sending(Hall(1), 0, early=True)
    cut = Slices(model, losses, world, 0, 4, fast=True)
    updates = Updates(torch.optim.SGD(model.parameters(), lr=0.1), gather=cut.gather)
    training = TrainingBatches(small_split(16), 16, seed=0, prepare=preparation(), slices=4)
    return Task(model, model, nn.CrossEntropyLoss(), len, updates, training, None, losses, steps=1, slices=cut)


def test_a_backward_pass_that_breaks_leaves_neither_a_hook_nor_anything_to_wait_for(monkeypatch):
    """Also while its error is kept. Who gets the model would keep all rows, and the others may never send their part.

    What was sent is no stretch of another step, either.
    """
    noted: list[object] = []
    monkeypatch.setattr(sums, "_STRETCH", 4)
    monkeypatch.setattr(distributed, "all_reduce", lambda numbers, **_: noted.append(numbers.data_ptr()) or Sent(noted))
    model = network(p=0.0)
    task, passes = sliced_task(model), []

    def burst(_):
        passes.append(1)
        if len(passes) == 4:
            raise RuntimeError("burst")

    bursting = model[1].register_forward_hook(lambda _layer, _inputs, hidden: hidden.register_hook(burst) and None)
    with pytest.raises(RuntimeError, match="burst") as caught:
        fit(task, Progress(), Quiet())
    assert caught.tb is not None
    assert not any(parameter._post_accumulate_grad_hooks for parameter in model.parameters())
    first, *others = noted
    assert len(others) == 3  # those of the layers behind
    assert "waited" not in others
    bursting.remove()
    noted.clear()
    fit(task, Progress(), Quiet())
    assert noted[:4] == [first, *others]
    assert len(set(noted[:7])) == 7
    assert noted[7:] == ["waited"] * 7
    assert not any(parameter._post_accumulate_grad_hooks for parameter in model.parameters())


def test_what_was_sent_is_no_stretch_of_another_step_where_others_are_lost(monkeypatch):
    """Waiting fails then."""
    noted: list[object] = []

    class Lost(Sent):
        def wait(self) -> None:
            raise RuntimeError("connection closed by peer")

    monkeypatch.setattr(distributed, "all_reduce", lambda numbers, **_: noted.append(numbers.data_ptr()) or Lost(noted))
    layout = RowLayout([Field.numbers(3, torch.float32), Field.numbers(2, torch.int64)])
    summed = row_sum(layout, 1, torch.device("cpu"), Peers(0, 1, False, nullcontext), fast=True)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="connection closed"):
            summed.add(1)
    assert noted[:2] == noted[2:]


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
