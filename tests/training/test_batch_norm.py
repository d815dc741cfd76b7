"""Batch norm over all processes: what is replaced, and what is refused."""

from __future__ import annotations

import pytest
import torch
from small_images import preparation, small_dataset, small_split
from torch import nn
from worlds import Pair

import zoo
from zoo.data import TrainingBatches
from zoo.errors import UsageError
from zoo.runs.together import refuse_uneven
from zoo.training.batch_norm import synchronise

CUDA = torch.device("cuda")


class Activated(nn.BatchNorm2d):
    """A batch norm that does more, as timm's do."""


def network(norm: type[nn.Module] = nn.BatchNorm2d) -> nn.Module:
    inner = nn.Sequential(nn.Conv2d(1, 4, 3), norm(4), nn.ReLU())
    return nn.Sequential(inner, nn.Flatten(), nn.Linear(144, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))


def test_batch_norms_are_replaced_and_keep_their_weights_names_and_outputs():
    """So a checkpoint of such a run is one of the model as it was built; nothing of CUDA is touched yet."""
    model = network()
    state, inputs = {name: tensor.clone() for name, tensor in model.state_dict().items()}, torch.randn(5, 1, 8, 8)
    before = model.eval()(inputs)
    synchronise(model, CUDA)
    assert [type(model[0][1]), type(model[3])] == [nn.SyncBatchNorm] * 2
    assert list(model.state_dict()) == list(state)
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(model.eval()(inputs), before)


def test_a_batch_norm_of_another_make_is_refused():
    """Torch's own conversion would drop the activation that is in it."""
    with pytest.raises(UsageError, match=r"--sync-batch-norm cannot replace '0\.1', a Activated, .*; leave it out"):
        synchronise(network(Activated), CUDA)


def test_it_is_refused_on_a_cpu(tmp_path):
    """In a line, before anything is written."""
    with pytest.raises(UsageError, match="--sync-batch-norm is for CUDA devices alone, and this run is on cpu; leave"):
        zoo.train(network(), data=small_dataset(), sync_batch_norm=True, slices=2, device="cpu", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("count", "slices", "which"), [(32, 3, "a step has 3"), (34, 4, "an epoch has 1 for 2")])
def test_slices_that_cannot_be_dealt_evenly_are_refused(count: int, slices: int, which: str):
    """One process would wait for a batch that the other does not have."""
    batches = TrainingBatches(small_split(count), 16, seed=0, prepare=preparation(), slices=slices)
    with pytest.raises(UsageError, match=f"--sync-batch-norm needs as many slices in each process, and .*{which}"):
        refuse_uneven(batches, Pair({}), "--sync-batch-norm")
    refuse_uneven(
        TrainingBatches(small_split(36), 16, seed=0, prepare=preparation(), slices=4), Pair({}), "--sync-batch-norm"
    )
