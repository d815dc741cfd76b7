"""timm's losses meet the contract of a criterion."""

from __future__ import annotations

import pytest
import torch
import zoo_timm
from torch import nn

import zoo

NAMES = sorted(zoo_timm._CRITERIA)
LABELS_ONLY = {"asymmetric_loss_single_label", "zlpr_loss"}


@pytest.mark.parametrize("name", NAMES)
def test_a_criterion_is_a_finite_mean_that_learns(name: str):
    """It is a scalar, the mean over samples, and following its gradient raises the labels' logits."""
    criterion = zoo.create("criteria", f"timm/{name}")
    torch.manual_seed(0)
    logits, labels = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 0, 1])
    whole = criterion(logits, labels)
    assert whole.shape == ()
    parts = criterion(logits[:2], labels[:2]) * 2 + criterion(logits[2:], labels[2:]) * 4
    torch.testing.assert_close(whole, parts / 6)

    learnt = logits.clone().requires_grad_()
    optimizer = torch.optim.Adam([learnt], lr=0.3)
    for _ in range(60):
        optimizer.zero_grad()
        criterion(learnt, labels).backward()
        optimizer.step()
    assert torch.equal(learnt.argmax(1), labels)
    assert criterion(learnt, labels) < whole
    assert criterion(torch.full((2, 3), 80.0), torch.tensor([0, 1])).isfinite()


@pytest.mark.parametrize("name", NAMES)
def test_soft_targets_are_taken_or_refused(name: str):
    """Soft targets that are sure of a label count as the label, unless they are refused in one line."""
    options = {} if name in {*LABELS_ONLY, "soft_target_cross_entropy"} else {"smoothing": 0.0}
    criterion = zoo.create("criteria", f"timm/{name}", **options)
    logits, labels = torch.randn(3, 4), torch.tensor([0, 3, 1])
    sure = nn.functional.one_hot(labels, 4).float()
    if name in LABELS_ONLY:
        with pytest.raises(zoo.UsageError, match=f"{name} takes labels, not soft targets"):
            criterion(logits, sure)
    else:
        torch.testing.assert_close(criterion(logits, sure), criterion(logits, labels))
        assert criterion(logits, torch.full((3, 4), 0.25)).isfinite()


def test_smoothed_labels_are_torchs():
    """Timm's formula and torch's are the same, for labels and for soft targets."""
    criterion = zoo.create("criteria", "timm/label_smoothing_cross_entropy", smoothing=0.2)
    logits, labels = torch.randn(5, 4), torch.tensor([0, 3, 1, 2, 2])
    soft = torch.softmax(torch.randn(5, 4), 1)
    for targets in (labels, soft):
        expected = nn.functional.cross_entropy(logits, targets, label_smoothing=0.2)
        torch.testing.assert_close(criterion(logits, targets), expected)


@pytest.mark.parametrize("smoothing", [-0.1, 1.0])
def test_smoothing_outside_its_range_is_refused(smoothing: float):
    """The line says the range."""
    with pytest.raises(zoo.UsageError, match=r"label smoothing must be in \[0, 1\)"):
        zoo.create("criteria", "timm/poly_cross_entropy", smoothing=smoothing)
