"""The criteria of the torch plugin, against torch's own and against sums written out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import zoo

CRITERIA = ["bce", "cross_entropy", "focal", "mse", "multi_margin"]
SOFT = [name for name in CRITERIA if name != "multi_margin"]
WEIGHT = [0.5, 2.0, 0.1, 1.0]


def criterion(name: str, **options: object):
    """Build a criterion of the torch plugin."""
    return zoo.create("criteria", f"torch/{name}", **options)


def batch(samples: int = 12, classes: int = 4) -> tuple[Tensor, Tensor]:
    """Return logits (N, K) that ask for a gradient, and labels (N,), always the same."""
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(samples, classes, generator=generator) * 2
    return logits.requires_grad_(), torch.randint(classes, (samples,), generator=generator)


def soft(samples: int = 12, classes: int = 4) -> Tensor:
    """Return soft targets (N, K), each row's sum 1."""
    return torch.rand(samples, classes, generator=torch.Generator().manual_seed(4)).softmax(1)


def test_all_criteria_of_the_plugin_are_tested_here():
    """A criterion that is registered and not listed above would go unchecked."""
    assert [entry.name for entry in zoo.entries("criteria") if entry.plugin == "torch"] == CRITERIA


@pytest.mark.parametrize("name", CRITERIA)
def test_a_criterion_is_the_mean_over_the_batch(name):
    """The loss of a batch is the mean of its samples' own losses."""
    logits, labels = batch()
    each = torch.stack([criterion(name)(logits[i : i + 1], labels[i : i + 1]) for i in range(len(labels))])
    torch.testing.assert_close(criterion(name)(logits, labels), each.mean())


@pytest.mark.parametrize("name", CRITERIA)
def test_a_better_answer_costs_less_and_the_gradient_leads_there(name):
    """A small step against the gradient lowers the loss; the right label's logit is pushed up."""
    logits, labels = batch()
    loss = criterion(name)(logits, labels)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert criterion(name)(logits - 0.1 * gradient, labels) < loss
    wrong = torch.zeros(1, 4, requires_grad=True)
    criterion(name)(wrong, torch.tensor([2])).backward()
    assert wrong.grad is not None
    assert wrong.grad.argmin() == 2


@pytest.mark.parametrize("name", CRITERIA)
@pytest.mark.parametrize("scale", [0.0, 1e2, 1e4, 1e8])
def test_extreme_logits_give_a_finite_loss_and_finite_gradients(name, scale):
    """However sure and however wrong: no inf and no nan."""
    logits, labels = batch()
    huge = (logits.detach().sign() * scale).requires_grad_()
    loss = criterion(name)(huge, labels)
    loss.backward()
    assert loss.isfinite()
    assert huge.grad is not None
    assert huge.grad.isfinite().all()


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_focal_has_finite_gradients_for_any_power(gamma):
    """A power below 1 has an infinite slope at 0, where a sample is surely right."""
    logits = torch.tensor([[200.0, 0.0], [0.0, 200.0], [0.0, 0.0]], requires_grad=True)
    criterion("focal", gamma=gamma)(logits, torch.tensor([0, 0, 1])).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("name", SOFT)
def test_a_soft_target_that_is_one_hot_equals_its_label(name):
    """The two forms of a target agree."""
    logits, labels = batch()
    one_hot = F.one_hot(labels, 4).float()
    torch.testing.assert_close(criterion(name)(logits, one_hot), criterion(name)(logits, labels))


def test_multi_margin_refuses_soft_targets():
    """The message names the criterion and what to do."""
    with pytest.raises(zoo.UsageError, match="multi_margin takes labels, not soft targets; use another criterion"):
        criterion("multi_margin")(batch()[0], soft())


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("ignore_index", [None, 1])
def test_cross_entropy_equals_torchs(label_smoothing, weight, ignore_index):
    """Label smoothing, class weights and an ignored label, in every combination."""
    logits, labels = batch()
    expected = F.cross_entropy(
        logits,
        labels,
        None if weight is None else torch.tensor(weight),
        ignore_index=-100 if ignore_index is None else ignore_index,
        label_smoothing=label_smoothing,
    )
    ours = criterion("cross_entropy", label_smoothing=label_smoothing, weight=weight, ignore_index=ignore_index)
    torch.testing.assert_close(ours(logits, labels), expected)


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_cross_entropy_of_soft_targets_equals_torchs(weight):
    """Torch's mean over soft targets is one over samples, weighted or not."""
    logits, targets = batch()[0], soft()
    expected = F.cross_entropy(logits, targets, None if weight is None else torch.tensor(weight))
    ours = criterion("cross_entropy", weight=weight)
    torch.testing.assert_close(ours(logits, targets), expected)
    assert ours.denominator(targets) == len(targets)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"label_smoothing": 0.1},
        {"weight": WEIGHT},
        {"weight": [0.5, 0.0, 0.0, 1.0]},
        {"ignore_index": 1},
        {"weight": WEIGHT, "ignore_index": 1, "label_smoothing": 0.1},
    ],
    ids=str,
)
@pytest.mark.parametrize("sizes", [(5, 7), (11, 1), (3, 3, 3, 3)])
def test_parts_of_a_batch_put_together_by_denominator_give_the_whole(options, sizes):
    """Loss and gradient of uneven parts, each times its denominator, over the sum of them, are the whole batch's."""
    logits, labels = batch()
    ours = criterion("cross_entropy", **options)
    whole = ours(logits, labels)
    parts = list(zip(logits.split(sizes), labels.split(sizes), strict=True))
    total = sum(ours.denominator(part_labels) for _, part_labels in parts)
    together = sum(ours(*part) * ours.denominator(part[1]) for part in parts) / total
    torch.testing.assert_close(together, whole, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(
        torch.autograd.grad(together, logits)[0], torch.autograd.grad(whole, logits)[0], rtol=1e-6, atol=1e-6
    )


def test_a_batch_that_counts_for_nothing_has_the_loss_0():
    """Torch's own mean over nothing but ignored labels is nan."""
    logits = torch.randn(3, 4, requires_grad=True)
    ours = criterion("cross_entropy", ignore_index=1)
    loss = ours(logits, torch.tensor([1, 1, 1]))
    loss.backward()
    assert loss.item() == 0
    assert ours.denominator(torch.tensor([1, 1, 1])) == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_bce_equals_torchs_over_one_hot_labels():
    """Each class against all others, the mean over samples and classes."""
    logits, labels = batch()
    expected = F.binary_cross_entropy_with_logits(logits, F.one_hot(labels, 4).float())
    torch.testing.assert_close(criterion("bce")(logits, labels), expected)


def test_bce_smooths_labels_evenly():
    """With 0.2 over 4 classes the label's target is 0.85, each other one's 0.05."""
    logits, labels = batch()
    targets = torch.full((12, 4), 0.05).scatter_(1, labels[:, None], 0.85)
    expected = F.binary_cross_entropy_with_logits(logits, targets)
    torch.testing.assert_close(criterion("bce", label_smoothing=0.2)(logits, labels), expected)


def test_mse_equals_torchs_over_one_hot_labels():
    """The logits themselves are compared, without a softmax."""
    logits, labels = batch()
    torch.testing.assert_close(criterion("mse")(logits, labels), F.mse_loss(logits, F.one_hot(labels, 4).float()))


@pytest.mark.parametrize("options", [{}, {"p": 2, "margin": 0.5}, {"weight": WEIGHT}], ids=str)
def test_multi_margin_equals_torchs(options):
    """Margin, power and class weights are handed on."""
    logits, labels = batch()
    stated = {**options, "weight": torch.tensor(WEIGHT)} if "weight" in options else options
    torch.testing.assert_close(
        criterion("multi_margin", **options)(logits, labels), F.multi_margin_loss(logits, labels, **stated)
    )


def test_focal_without_a_power_is_cross_entropy():
    """Gamma 0 counts every sample alike, smoothed or not."""
    logits, labels = batch()
    expected = F.cross_entropy(logits, labels, label_smoothing=0.1)
    torch.testing.assert_close(criterion("focal", gamma=0, label_smoothing=0.1)(logits, labels), expected)


def test_focal_is_the_published_formula():
    """The mean of alpha (1 - p) ** gamma (-log p), p the label's probability."""
    logits, labels = batch()
    p = logits.softmax(1).gather(1, labels[:, None]).squeeze(1)
    expected = (torch.tensor(WEIGHT)[labels] * (1 - p) ** 2 * -p.log()).mean()
    torch.testing.assert_close(criterion("focal", weight=WEIGHT)(logits, labels), expected)


@pytest.mark.parametrize("name", ["cross_entropy", "focal", "multi_margin"])
def test_a_weight_for_each_class_is_required(name):
    """Too few weights are one line, not torch's."""
    with pytest.raises(zoo.UsageError, match="weight must have 4 numbers, one for each class, not 2"):
        criterion(name, weight=[1.0, 2.0])(*batch())


def test_a_weight_of_0_does_not_go_with_label_smoothing():
    """Torch would count such a sample's smoothed share over a denominator of 0."""
    with pytest.raises(zoo.UsageError, match="weight must be above 0 for each class where labels are smoothed"):
        criterion("cross_entropy", weight=[1.0, 0.0], label_smoothing=0.1)


@pytest.mark.parametrize(
    ("name", "option", "value", "rule"),
    [
        ("cross_entropy", "label_smoothing", 1.0, "[0, 1)"),
        ("cross_entropy", "weight", [1.0, -1.0], "at least 0"),
        ("cross_entropy", "weight", [0.0, 0.0], "not all 0"),
        ("bce", "label_smoothing", -0.5, "[0, 1)"),
        ("focal", "gamma", -1.0, "at least 0"),
        ("focal", "label_smoothing", 2.0, "[0, 1)"),
        ("multi_margin", "p", 3, "1 or 2"),
        ("multi_margin", "margin", 0.0, "above 0"),
    ],
)
def test_an_option_outside_its_range_is_refused_with_its_rule(name, option, value, rule):
    """The message holds the option's name, what was given and what is allowed."""
    with pytest.raises(zoo.UsageError) as caught:
        criterion(name, **{option: value})
    assert f"{option} must be" in str(caught.value)
    assert repr(value) in str(caught.value)
    assert rule in str(caught.value)
