"""The contract of criteria, and which faults it finds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from entry_of import entry_of
from torch import Tensor
from torch.nn import functional as F

from zoo.testing import ContractError
from zoo.testing import criteria as contract


class Weighted:
    """Cross-entropy with weights, a mean over these."""

    weight = torch.tensor([1.0, 4.0, 0.5, 2.0, 3.0])

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(logits, targets, self.weight)


class WeightedAndSaysSo(Weighted):
    """As it should be."""

    def denominator(self, targets: Tensor) -> Tensor:
        return self.weight[targets].sum()


def criterion(function: Callable[..., Any]) -> Any:
    """Return an entry that builds this criterion."""

    def builder() -> Callable[..., Any]:
        return function

    return entry_of("criteria", builder)


def naive(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the cross-entropy as one writes it first."""
    return -logits.softmax(1).gather(1, targets.unsqueeze(1)).log().mean()


def spoiling(logits: Tensor, targets: Tensor) -> Tensor:
    """Change the targets in place."""
    loss = F.cross_entropy(logits, targets)
    targets.add_(0 if loss.isnan() else 1).remainder_(5)
    return loss


@pytest.mark.parametrize("check", contract.CHECKS.values(), ids=lambda check: check.__name__)
def test_a_sound_criterion_passes(check: Callable[[Any], Any]) -> None:
    """Cross-entropy keeps the contract."""
    check(criterion(F.cross_entropy))


def test_a_weighted_mean_passes_where_it_tells_its_denominator() -> None:
    """The halves of a batch then count by their weights."""
    contract.check_mean(criterion(WeightedAndSaysSo()))


def test_it_is_told_whether_soft_targets_are_taken() -> None:
    """Mixing augmentations need that; a criterion need not."""
    assert contract.check_mean(criterion(F.cross_entropy)) == "takes soft targets"
    assert contract.check_mean(criterion(F.multi_margin_loss)) == "does not take soft targets"


@pytest.mark.parametrize(
    ("check", "function", "seen"),
    [
        (contract.check_mean, lambda x, y: F.cross_entropy(x, y, reduction="sum"), "expected the mean"),
        (contract.check_mean, Weighted(), "denominator(targets)"),
        (contract.check_mean, lambda x, y: F.cross_entropy(x, y, reduction="none"), "saw torch.float32 (12,)"),
        (contract.check_mean, lambda x, y: F.cross_entropy(x, y).item(), "saw a float"),
        (contract.check_slope, lambda x, y: F.cross_entropy(x.detach(), y), "saw none"),
        (contract.check_slope, lambda x, y: (x * 0).sum(), "one of zeros"),
        (contract.check_slope, lambda x, y: -F.cross_entropy(x, y), "that raises the label's logit"),
        (contract.check_slope, spoiling, "logits and targets as they were"),
        (contract.check_finite, naive, "+-100"),
    ],
)
def test_a_faulty_criterion_is_found(check: Callable[[Any], Any], function: Callable[..., Any], seen: str) -> None:
    """Each fault has its own words, and two lines."""
    with pytest.raises(ContractError) as caught:
        check(criterion(function))
    assert seen in str(caught.value)
    assert len(str(caught.value).splitlines()) == 2
