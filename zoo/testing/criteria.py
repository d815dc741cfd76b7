"""What a criterion must do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from zoo.registry import Entry
from zoo.testing.building import plain
from zoo.testing.outcome import ContractError

Criterion = Callable[[Tensor, Tensor], Tensor]


def check_mean(entry: Entry) -> str:
    """Return the mean over the batch, as a scalar: two halves of a batch give the whole."""
    criterion = plain(entry)
    denominator = getattr(criterion, "denominator", len)
    logits, targets = _batch(12, 5)
    whole = _loss(entry, criterion, logits, targets)
    parts = [(logits[:4], targets[:4]), (logits[4:], targets[4:])]
    weights = [float(denominator(part[1])) for part in parts]
    losses = [_loss(entry, criterion, *part).item() for part in parts]
    mean = sum(weight * loss for weight, loss in zip(weights, losses, strict=True)) / sum(weights)
    if not torch.isclose(whole.double(), torch.tensor(mean).double(), rtol=1e-4, atol=1e-6):
        raise ContractError(
            entry,
            expected="the mean over the batch",
            seen=f"{whole.item():.6g} for 12 samples, where 4 and 8 of them have the mean {mean:.6g}",
            mend="Divide by the number of samples. If the mean is over something else, such as weights, give the "
            "criterion a method denominator(targets) that returns it.",
        )
    return f"{'takes' if _takes_soft(criterion) else 'does not take'} soft targets"


def check_slope(entry: Entry) -> None:
    """Have a finite gradient that leads to a lower loss, and leave its arguments as they are."""
    criterion = plain(entry)
    logits, targets = _batch(12, 5)
    kept = logits.clone(), targets.clone()
    logits.requires_grad_()
    loss = _loss(entry, criterion, logits, targets)
    if not (torch.equal(logits, kept[0]) and torch.equal(targets, kept[1])):
        raise ContractError(
            entry,
            expected="logits and targets as they were",
            seen="other values",
            mend="Work on copies: no operation in place.",
        )

    gradient = torch.autograd.grad(loss, logits, allow_unused=True)[0] if loss.requires_grad else None
    if gradient is None or not gradient.isfinite().all() or not gradient.any():
        seen = "none" if gradient is None else "one of zeros" if gradient.isfinite().all() else "nan or infinity"
        raise ContractError(
            entry,
            expected="a finite gradient with respect to the logits",
            seen=seen,
            mend="Use torch's operations on the logits, without detach(), argmax or item().",
        )
    even = torch.zeros(5, 5, requires_grad=True)
    (pull,) = torch.autograd.grad(_loss(entry, criterion, even, torch.arange(5)), even)
    if not torch.equal(pull.argmin(1), torch.arange(5)):
        raise ContractError(
            entry,
            expected="a gradient that raises the label's logit above the others, where all are equal",
            seen=f"{[round(slope, 4) for slope in pull[0].tolist()]} for label 0",
            mend="Return what is to be minimised: it is lowest where the label's logit is highest.",
        )
    lower = _loss(entry, criterion, logits.detach() - 0.01 * gradient / gradient.abs().max(), targets)
    if not lower < loss:
        raise ContractError(
            entry,
            expected="a lower loss after a small step against the gradient",
            seen=f"{loss.item():.6g} before and {lower.item():.6g} after",
            mend="Return what is to be minimised.",
        )


def check_finite(entry: Entry) -> None:
    """Be finite, and have finite gradients, however sure and however wrong the model is."""
    criterion = plain(entry)
    for scale in (0.0, 1.0, 100.0, 10_000.0):
        for classes in (2, 10):
            logits, targets = _batch(12, classes)
            extreme = (logits.sign() * scale).requires_grad_()
            loss = _loss(entry, criterion, extreme, targets)
            (gradient,) = torch.autograd.grad(loss, extreme, allow_unused=True)
            if not loss.isfinite() or (gradient is not None and not gradient.isfinite().all()):
                raise ContractError(
                    entry,
                    expected=f"a finite loss and gradient for logits of +-{scale:g}",
                    seen=f"the loss {loss.item()}" if not loss.isfinite() else "a gradient with nan or infinity",
                    mend="Use log_softmax or logsumexp in place of log(softmax(...)), and clamp before roots and logs.",
                )


def _batch(samples: int, classes: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    logits = 2 * torch.randn(samples, classes, generator=generator)
    return logits, torch.randint(classes, (samples,), generator=generator)


def _loss(entry: Entry, criterion: Criterion, logits: Tensor, targets: Tensor) -> Tensor:
    loss: Any = criterion(logits, targets)
    if not isinstance(loss, Tensor) or loss.ndim or not loss.is_floating_point():
        seen = f"{loss.dtype} {tuple(loss.shape)}" if isinstance(loss, Tensor) else f"a {type(loss).__name__}"
        raise ContractError(
            entry,
            expected=f"a floating scalar tensor for logits {tuple(logits.shape)} and targets {tuple(targets.shape)}",
            seen=seen,
            mend="Return the mean, .mean(), not one loss a sample and no Python number.",
        )
    return loss


def _takes_soft(criterion: Criterion) -> bool:
    logits, targets = _batch(12, 5)
    try:
        criterion(logits, torch.nn.functional.one_hot(targets, 5).float())
    except Exception:
        return False
    return True


CHECKS = {
    "is a mean over the batch": check_mean,
    "has a gradient that leads down": check_slope,
    "is finite for extreme logits": check_finite,
}
