"""What a model said of each image of an evaluation, kept batch by batch where it is until somebody asks."""

from __future__ import annotations

import torch
from torch import Tensor

KEPT = 16
"""Logits of an image that are kept where all of them would take too much."""

LIMIT = 64 * 2**20
"""Bytes of logits up to which all are kept."""


class PredictionRecord:
    """The predictions of one evaluation.

    Adding a batch waits for nothing: tensors stay on the device. Where the logits of all images would take more than
    *limit* bytes, each batch is reduced to what accuracy, log loss, Brier score and calibration need.

    Args:
        samples: N, how many images will be evaluated.
        classes: K.
        limit: In bytes; None for all logits, whatever they take.
    """

    def __init__(self, samples: int, classes: int, limit: int | None = LIMIT) -> None:
        self.full = limit is None or samples * classes * 4 <= limit or classes <= KEPT
        self._batches: list[dict[str, Tensor]] = []

    def __call__(self, logits: Tensor, labels: Tensor, likeliest: Tensor) -> None:
        """Add a batch.

        Args:
            logits: (B, K).
            labels: int64 (B,).
            likeliest: The classes with the greatest logits, the greatest first, int64 (B, min(5, K)).
        """
        parts = {"labels": labels, "likeliest": likeliest}
        parts |= {"logits": logits} if self.full else _reduced(logits, labels)
        self._batches.append(parts)

    def taken(self) -> dict[str, Tensor]:
        """Return everything on the CPU, by name, and forget it.

        Returns:
            ``labels`` and ``predictions``, int64 (N,); ``in_five``, bool (N,), with more than five classes;
            ``logits``, float32 (N, K), or where they were reduced ``top_logits`` and ``top_classes``, (N, 16),
            ``label_logits``, ``log_sum_exp`` and ``squares``, (N,).
        """
        batches, self._batches = self._batches, []
        parts = {name: torch.cat([batch[name] for batch in batches]).cpu() for name in batches[0]}
        likeliest, labels = parts.pop("likeliest"), parts["labels"]
        parts["predictions"] = likeliest[:, 0].contiguous()
        classes = parts["logits"].shape[1] if self.full else KEPT + 1
        if classes > 5:
            parts["in_five"] = likeliest.eq(labels.unsqueeze(1)).any(1)
        return {
            name: part.float() if part.dtype in (torch.bfloat16, torch.float16) else part
            for name, part in parts.items()
        }


def _reduced(logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Return the greatest logits and the sums over all, which are taken in float64 where the device has it."""
    wide = logits.float() if logits.device.type == "mps" else logits.double()
    top, classes = wide.topk(KEPT, dim=1)
    total = wide.logsumexp(1)
    return {
        "top_logits": top.float(),
        "top_classes": classes.int(),
        "label_logits": wide.gather(1, labels.unsqueeze(1)).squeeze(1).float(),
        "log_sum_exp": total,
        "squares": (2 * (wide - total.unsqueeze(1))).exp().sum(1),
    }
