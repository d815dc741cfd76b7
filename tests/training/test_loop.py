"""The truths of the one loop."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from small_images import preparation, small_split
from torch import nn

from zoo.data import TrainingBatches
from zoo.training.averaging import Average
from zoo.training.evaluation import evaluate
from zoo.training.loop import train_epoch
from zoo.training.losses import LossRecord
from zoo.training.updates import Updates


def network(*, norm: bool = False, p: float = 0.0) -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Flatten(), nn.Linear(64, 16), nn.BatchNorm1d(16) if norm else nn.Identity(), nn.ReLU(), nn.Dropout(p)]
    return nn.Sequential(*layers, nn.Linear(16, 3))


class Counting(Updates):
    """Updates that count their steps."""

    steps = 0

    def step(self) -> None:
        self.steps += 1
        super().step()


def train(model: nn.Module, count: int, batch_size: int, criterion=None, accumulate: int = 1, labels=None, **more):
    split = small_split(count)
    if labels is not None:
        split.labels = labels
    criterion = criterion or nn.CrossEntropyLoss()
    denominator = getattr(criterion, "denominator", len)
    batches = TrainingBatches(
        split, batch_size, seed=0, prepare=preparation(), accumulate=accumulate, denominator=denominator
    )
    losses = LossRecord(denominator)
    updates = Counting(torch.optim.SGD(model.parameters(), lr=0.1), parameters=model.parameters(), **more)
    train_epoch(model, batches.windows(0), criterion, updates, losses)
    return updates, losses


def test_the_loop_gives_the_bits_of_the_textbook_loop():
    """Same batches, same settings: the parameters equal those of the loop that a textbook writes, to the bit."""
    ours, theirs = network(norm=True, p=0.5), network(norm=True, p=0.5)
    torch.manual_seed(7)
    _, losses = train(ours, 50, 8)

    split, prepare = small_split(50), preparation()
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1)
    criterion = nn.CrossEntropyLoss()
    batches = list(TrainingBatches(split, 8, seed=0, prepare=prepare).windows(0))
    torch.manual_seed(7)
    theirs.train()
    running_loss = 0.0
    for ((inputs, labels, _),) in batches:
        optimizer.zero_grad()
        outputs = theirs(inputs)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item() * len(labels)

    for name, value in ours.state_dict().items():
        assert torch.equal(value, theirs.state_dict()[name]), name
    assert losses.mean() == pytest.approx(running_loss / 50, rel=1e-12)


def test_dropout_is_active_in_training_and_bypassed_in_evaluation():
    """The same inputs give different logits twice in training, and equal ones twice in evaluation."""
    model, inputs = network(p=0.5), torch.randn(4, 1, 8, 8)
    seen = []
    hook = model[4].register_forward_hook(lambda module, args, output: seen.append((module.training, args[0], output)))
    train(model, 8, 4)
    assert all(training and not torch.equal(given, result) for training, given, result in seen)
    seen.clear()
    evaluate(model, [(inputs, torch.zeros(4, dtype=torch.int64))], nn.CrossEntropyLoss())
    hook.remove()
    assert all(not training and torch.equal(given, result) for training, given, result in seen)


def test_batch_norm_trains_with_the_batch_and_evaluates_with_its_estimates():
    """Training moves the running estimates; in evaluation the other images of a batch change no bit of one's logits."""
    model = network(norm=True)
    before = copy.deepcopy(model[2].state_dict())
    train(model, 32, 8)
    assert model[2].num_batches_tracked == before["num_batches_tracked"] + 4
    assert not torch.equal(model[2].running_mean, before["running_mean"])
    logits = []
    model.register_forward_hook(lambda module, args, output: logits.append(output))
    labels = torch.zeros(6, dtype=torch.int64)
    first, second = torch.randn(6, 1, 8, 8), torch.randn(6, 1, 8, 8)
    second[2] = first[2]
    evaluate(model, [(first, labels), (second, labels)], nn.CrossEntropyLoss())
    assert torch.equal(logits[0][2], logits[1][2])
    assert not torch.equal(logits[0][1], logits[1][1])


@pytest.mark.parametrize("accumulate", range(1, 17))
def test_accumulation_steps_once_a_window(accumulate):
    """Every count of batches takes ceil(n / k) steps, and the parameters are the concatenated batches'."""
    for batches in range(1, 17):
        whole = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
        parts = copy.deepcopy(whole)
        updates, _ = train(parts, 4 * batches, 4, accumulate=accumulate)
        assert updates.steps == math.ceil(batches / accumulate)
        reference, _ = train(whole, 4 * batches, 4 * accumulate)
        assert reference.steps == updates.steps
        for left, right in zip(whole.parameters(), parts.parameters(), strict=True):
            torch.testing.assert_close(left, right, rtol=1e-5, atol=1e-6)


class Weighted(nn.CrossEntropyLoss):
    """Cross-entropy whose mean is over the weights of the labels that count."""

    def denominator(self, targets):
        weight = torch.ones(3) if self.weight is None else self.weight
        counted = targets[targets != self.ignore_index]
        return weight[counted].sum()


CRITERIA = {
    "plain": nn.CrossEntropyLoss(),
    "weighted": Weighted(weight=torch.tensor([0.2, 1.0, 3.0])),
    "ignoring": Weighted(ignore_index=1),
    "smoothed": nn.CrossEntropyLoss(label_smoothing=0.1),
}


@pytest.mark.parametrize("name", CRITERIA)
def test_accumulated_gradients_are_the_full_batch_s(name):
    """Accumulation over uneven parts equals one batch of all samples, whatever the criterion's mean is over."""
    labels = torch.tensor([0, 1, 2, 2, 1, 0, 2, 0, 1, 2, 0])
    whole, parts = network().double(), network().double()
    prepare = preparation()
    for model, size, accumulate in ((whole, 11, 1), (parts, 4, 3)):
        split = small_split(11)
        split.labels = labels
        criterion = copy.deepcopy(CRITERIA[name]).double()
        denominator = getattr(criterion, "denominator", len)
        batches = TrainingBatches(
            split,
            size,
            seed=0,
            prepare=lambda images: prepare(images).double(),
            accumulate=accumulate,
            denominator=denominator,
        )
        losses = LossRecord(denominator)
        train_epoch(model, batches.windows(0), criterion, Updates(torch.optim.SGD(model.parameters(), lr=0.1)), losses)
        model.mean_loss = losses.mean()
    for left, right in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(left.grad, right.grad, rtol=1e-6, atol=1e-8)
    assert parts.mean_loss == pytest.approx(whole.mean_loss, rel=1e-6)


@pytest.mark.parametrize("number", [torch.tensor, float, int])
def test_a_window_in_which_nothing_counts_changes_nothing(number):
    """Its batches have no share each, rather than a part of zero."""

    def denominator(targets):
        return number(0)

    batches = TrainingBatches(small_split(8), 2, seed=0, prepare=preparation(), accumulate=2, denominator=denominator)
    assert [batch.share.item() for window in batches.windows(0) for batch in window] == [0.0] * 4


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 9, 13, 16, 17])
def test_batch_norm_never_meets_a_lone_last_sample(count):
    """N = kB + 1 completes with batch norm and sees each sample once; N below B trains."""
    if count == 1:
        spans = TrainingBatches(small_split(1), 4, seed=0, prepare=preparation())._spans
        assert spans == [(0, 1)]
        return
    model, seen = network(norm=True), []
    model.register_forward_pre_hook(lambda module, args: seen.append(len(args[0])))
    updates, _ = train(model, count, 4)
    assert sum(seen) == count
    assert min(seen) > 1
    assert updates.steps == len(seen) >= 1


def test_clipping_bounds_the_norm_of_the_step():
    """With a norm limit c, the gradients that the optimizer sees are at most c long."""
    model = network()
    norms = []
    updates = Updates(torch.optim.SGD(model.parameters(), lr=0.1), parameters=model.parameters(), clip_norm=0.01)
    updates.optimizer.register_step_pre_hook(
        lambda *_: norms.append(float(torch.cat([p.grad.flatten() for p in model.parameters()]).norm()))
    )
    batches = TrainingBatches(small_split(32), 8, seed=0, prepare=preparation())
    train_epoch(model, batches.windows(0), nn.CrossEntropyLoss(), updates, LossRecord())
    assert len(norms) == 4
    assert max(norms) <= 0.01 * (1 + 1e-5)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_nothing_in_the_step_reads_a_value_from_the_device(monkeypatch, accumulate):
    """A step never turns a tensor into a number, nor a number into a tensor by a copy: both wait for the device."""

    def refuse(*_):
        raise AssertionError("a value went from or to the device in the step")

    model = network(norm=True, p=0.5)
    batches = TrainingBatches(small_split(32), 8, seed=0, prepare=preparation(), accumulate=accumulate)
    losses = LossRecord()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    updates = Updates(optimizer, parameters=model.parameters(), clip_norm=1.0, average=Average(model, 0.9))
    for name in ("item", "__bool__", "__float__", "tolist", "numpy"):
        monkeypatch.setattr(torch.Tensor, name, refuse)
    for name in ("tensor", "as_tensor"):
        monkeypatch.setattr(torch, name, refuse)
    train_epoch(model, batches.windows(0), nn.CrossEntropyLoss(), updates, losses)
    monkeypatch.undo()
    assert math.isfinite(losses.mean())
