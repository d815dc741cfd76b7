"""Weights that are shared out: which optimizers may step on parts, and how the parts come together."""

from __future__ import annotations

import pytest
import torch
from threads import Hall, Member
from torch import nn

from zoo.errors import UsageError
from zoo.training.sharding import Shards, collecting, is_sharded, part, refuse_whole, shard, step_on_parts
from zoo.training.world import ALONE


class Signed(torch.optim.Optimizer):
    """Somebody's own, which treats each number by itself, and says so."""

    elementwise = True

    def __init__(self, params):
        super().__init__(params, {})


class Silent(Signed):
    """One that says that it does not."""

    elementwise = False


def weights() -> list[nn.Parameter]:
    return [nn.Parameter(torch.ones(4, 4))]


@pytest.mark.parametrize("make", [torch.optim.SGD, torch.optim.AdamW, torch.optim.RMSprop, Signed])
def test_an_optimizer_that_treats_each_number_by_itself_may_step_on_parts(make):
    """Torch's own are known; another says so by an attribute."""
    refuse_whole(make(weights()))


@pytest.mark.parametrize("make", [torch.optim.LBFGS, torch.optim.Adafactor, torch.optim.Muon, Silent])
def test_other_optimizers_are_refused_by_name(make):
    """Muon makes a matrix orthogonal, Adafactor takes means of rows: parts of them would be other steps."""
    with pytest.raises(UsageError, match=f"treats each number by itself, .*and {make.__name__} is not known to"):
        refuse_whole(make(weights()))


def test_a_kind_of_sgd_that_does_more_is_not_known():
    """A subclass may do anything; the base's name says nothing of it."""

    class Normalised(torch.optim.SGD):
        pass

    with pytest.raises(UsageError, match="Normalised is not known to"):
        refuse_whole(Normalised(weights()))


def test_fused_steps_are_taken_apart():
    """They pair a part with other numbers, or take none."""
    optimizer = step_on_parts(torch.optim.AdamW(weights(), fused=True))
    assert [group["fused"] for group in optimizer.param_groups] == [False]
    assert not optimizer.defaults["fused"]  # which a run's first lines tell


class Telling(Member):
    """A thread's world in which the first one's word goes to all."""

    def first(self, make):
        value = self.hall.meet(make() if self.is_first else None)[0]
        return list(value) if isinstance(value, list) else value


class Piece(torch.Tensor):
    """Stands for a part: put together, it is the sum of what all threads have."""

    world: Telling
    together: list[int]

    def full_tensor(self):
        plain = self.as_subclass(torch.Tensor)
        self.together.append(self.world.rank)
        return torch.stack(self.world.hall.meet(plain)).sum(0)

    def detach(self):
        return self


def piece(world: Telling, value: float) -> Piece:
    made = torch.full((2,), value).as_subclass(Piece)
    made.world, made.together = world, []
    return made


def test_parts_come_together_in_the_first_process_one_at_a_time(monkeypatch):
    """In whatever order it wants them, and only those that it wants; what is whole is left as it is."""
    hall = Hall(3)

    def work(rank):
        world = Telling(hall, rank)
        shards = object.__new__(Shards)
        shards._world = world
        plain = torch.tensor([5.0])
        tensors = {"model": {"a": piece(world, 1.0), "b": piece(world, 10.0), "c": plain}}
        tensors["optimizer"] = {"a": piece(world, 100.0)}
        found = None
        if rank == 0:
            with shards.collecting(tensors) as whole:
                wanted = [tensors["optimizer"]["a"], tensors["model"]["a"], plain]
                found = [whole(tensor).tolist() for tensor in wanted]
        else:
            shards.lend(tensors)
        return found, len(tensors["model"]["b"].together)

    told = hall.run(work)
    assert told[0] == ([[300.0, 300.0], [3.0, 3.0], [5.0]], 0)
    assert told[1:] == [(None, 0), (None, 0)]


def test_a_save_that_fails_lets_the_others_go():
    """A full disk is told by the first process alone; those that lend it their parts must not wait for more."""
    hall = Hall(2)

    def work(rank):
        world = Telling(hall, rank)
        shards = object.__new__(Shards)
        shards._world = world
        tensors = {"model": {"a": piece(world, 1.0), "b": piece(world, 10.0)}}
        if rank:
            shards.lend(tensors)
            return "went on"

        def write():
            with shards.collecting(tensors) as whole:
                whole(tensors["model"]["a"])
                raise OSError("the disk is full")

        with pytest.raises(OSError, match="full"):
            write()
        return "told"

    assert hall.run(work) == ["told", "went on"]


def test_without_shares_a_tensor_is_itself():
    """Nothing is copied in a run of always."""
    tensor = torch.ones(2)
    with collecting(None, {"model": {"a": tensor}}) as whole:
        assert whole(tensor) is tensor


class Tied(nn.Module):
    """Two blocks, batch norm, and a weight that is used twice."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.ReLU()) for _ in range(2))
        self.first, self.again = nn.Linear(6, 6, bias=False), nn.Linear(6, 6, bias=False)
        self.again.weight = self.first.weight
        self.register_buffer("mask", torch.ones(6), persistent=False)

    def forward(self, inputs):
        inputs = self.first(inputs * self.mask)
        for block in self.blocks:
            inputs = block(inputs)
        return self.again(inputs)


def test_a_run_gives_back_a_plain_model(group):
    """With the names, flags, buffers and tied weights of the one that was shared out, which computes the same."""
    model = Tied()
    inputs = torch.randn(5, 6)
    expected = model(inputs)  # which moves the running statistics, so they are not those of a new model
    model.eval()
    judged = model(inputs)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    shards = Shards(model, ALONE, lambda _: None)
    assert is_sharded(model.first.weight)
    plain = shards.whole_model(model)
    assert type(plain) is Tied
    assert plain.state_dict().keys() == before.keys()
    for name, tensor in plain.state_dict().items():
        assert type(tensor) is torch.Tensor
        assert torch.equal(tensor, before[name])
    assert plain.again.weight is plain.first.weight
    assert not plain.training
    assert torch.equal(plain(inputs), judged)
    plain.train()
    assert torch.equal(plain(inputs), expected)


def test_a_whole_tensor_is_shared_out_as_another_is(group):
    """A checkpoint's tensors, read whole, become parts of those that the model has; others stay."""
    model = nn.Linear(4, 3)
    shard(model)
    whole = torch.arange(12.0).view(3, 4)
    mine = part(whole, model.weight)
    assert is_sharded(mine)
    assert torch.equal(mine.full_tensor(), whole)
    assert part(mine, model.weight) is mine
    assert part(whole, whole) is whole
