"""Evaluation: exact, and without a trace."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_images import preparation, small_split
from threads import Hall, Member
from torch import nn
from torch.nn import functional

from zoo.data import EvaluationBatches
from zoo.training.evaluation import evaluate, standard_error


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.Dropout(0.5), nn.Linear(16, 3))


@given(count=st.integers(1, 40), batch_size=st.integers(1, 50))
def test_metrics_are_those_of_the_whole_set_at_once(count, batch_size):
    """Loss and accuracy are exact whatever the batch size, and every sample is evaluated exactly once."""
    net, split, prepare = model(), small_split(count), preparation()
    found = evaluate(net, EvaluationBatches(split, batch_size, prepare), nn.CrossEntropyLoss())
    logits = net.eval()(prepare(split.images)).detach()
    assert found.samples == count
    assert found.loss == pytest.approx(float(functional.cross_entropy(logits, split.labels)), rel=1e-5)
    assert found.accuracy == float((logits.argmax(1) == split.labels).double().mean())


@given(count=st.integers(1, 40), batch_size=st.integers(1, 50))
def test_balanced_accuracy_is_the_mean_recall_of_the_classes_that_are_there(count, batch_size):
    """As scikit-learn computes it, whatever the batches; a class without samples does not count."""
    net, split, prepare = model(), small_split(count), preparation()
    split.labels[: count // 2] = 0  # uneven classes, perhaps not all of them
    found = evaluate(net, EvaluationBatches(split, batch_size, prepare), nn.CrossEntropyLoss())
    predicted = net.eval()(prepare(split.images)).argmax(1)
    recalls = [float((predicted[split.labels == k] == k).double().mean()) for k in split.labels.unique().tolist()]
    assert found.balanced_accuracy == pytest.approx(sum(recalls) / len(recalls), rel=1e-12)


def test_two_evaluations_give_equal_bits_and_leave_the_state_dict_unchanged():
    """Evaluating neither moves batch norm's estimates nor depends on having been done before."""
    net, batches = model(), EvaluationBatches(small_split(30), 7, preparation())
    before = copy.deepcopy(net.state_dict())
    assert evaluate(net, batches, nn.CrossEntropyLoss()) == evaluate(net, batches, nn.CrossEntropyLoss())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_every_submodule_s_flag_is_what_it_was():
    """A frozen batch norm stays frozen, and the rest goes back to training."""
    net = model().train()
    net[2].eval()
    flags = [module.training for module in net.modules()]
    evaluate(net, EvaluationBatches(small_split(5), 5, preparation()), nn.CrossEntropyLoss())
    assert [module.training for module in net.modules()] == flags


def test_flags_are_put_back_when_the_model_raises():
    """An evaluation that fails leaves the model as it was."""
    net = model().train()
    with pytest.raises(RuntimeError):
        evaluate(net, [(torch.zeros(2, 1, 3, 3), torch.zeros(2, dtype=torch.int64))], nn.CrossEntropyLoss())
    assert all(module.training for module in net.modules())


def test_no_tensor_of_the_model_is_an_inference_tensor():
    """What a model keeps from an evaluation can still be trained through."""

    class Keeping(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(64, 3)
            self.register_buffer("last", torch.zeros(1, 3))

        def forward(self, inputs):
            logits = self.linear(inputs.flatten(1))
            self.last = logits[:1]
            return logits

    net = Keeping()
    evaluate(net, EvaluationBatches(small_split(4), 2, preparation()), nn.CrossEntropyLoss())
    assert not any(value.is_inference() for value in net.state_dict().values())
    (net(torch.randn(2, 64)).sum() + net.last.sum()).backward()


@pytest.mark.parametrize(("classes", "told"), [(3, False), (5, False), (6, True)])
def test_top_five_is_left_out_where_it_would_say_nothing(classes, told):
    """With five classes or fewer every label is among the five likeliest: that is no accuracy."""
    logits = torch.eye(classes)
    found = evaluate(nn.Identity(), [(logits, torch.arange(classes).flip(0))], nn.CrossEntropyLoss())
    assert (found.top5_accuracy is not None) is told


def test_a_weighted_loss_is_the_mean_over_the_weights():
    """The loss of a criterion with a denominator is that of the whole set at once."""
    weight = torch.tensor([0.2, 1.0, 3.0])
    criterion = nn.CrossEntropyLoss(weight=weight)
    net, split, prepare = model(), small_split(20), preparation()
    found = evaluate(net, EvaluationBatches(split, 6, prepare), criterion, lambda labels: weight[labels].sum())
    logits = net.eval()(prepare(split.images)).detach()
    assert found.loss == pytest.approx(float(criterion(logits, split.labels)), rel=1e-5)


def test_the_standard_error_is_the_binomial_one():
    """99 % of 10,000 images are known to a tenth of a percent."""
    assert standard_error(0.99, 10_000) == pytest.approx(0.000995, rel=1e-3)


@pytest.mark.parametrize("batch_size", [1, 3, 4, 10])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_ten_images_are_ten_images_in_any_number_of_processes(size: int, batch_size: int):
    """Every process gets all metrics, with equal bits: nobody's last batch is padded, and nobody's mean is averaged."""
    split, hall = small_split(10), Hall(size)
    alone = evaluate(model(), EvaluationBatches(split, batch_size, preparation()), nn.CrossEntropyLoss())

    def measured(rank: int):
        mine = EvaluationBatches(split, batch_size, preparation(), process=(rank, size))
        seen = []
        found = evaluate(
            nets[rank],
            mine,
            nn.CrossEntropyLoss(),
            record=lambda logits, labels, _: seen.extend(labels.tolist()),
            world=Member(hall, rank),
        )
        return found, seen

    nets = [model() for _ in range(size)]
    for found, seen in hall.run(measured):
        assert found == alone  # bits: the loss is a float
        assert found.samples == 10
        assert seen == split.labels.tolist()


def test_processes_that_are_one_too_many_for_the_batches_still_get_the_metrics():
    """Of one batch three have none."""
    split, hall, nets = small_split(3), Hall(4), [model() for _ in range(4)]

    def measured(rank: int):
        mine = EvaluationBatches(split, 8, preparation(), process=(rank, 4))
        return evaluate(nets[rank], mine, nn.CrossEntropyLoss(), world=Member(hall, rank))

    found = hall.run(measured)
    assert [each.samples for each in found] == [3] * 4
    assert len(set(found)) == 1
