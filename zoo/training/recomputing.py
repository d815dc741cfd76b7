"""Activations that are computed again in the backward pass, in place of being kept: less memory for more time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


class Recomputed(nn.Module):
    """Run a model so that of each block its inputs alone are kept for the backward pass.

    The results, the gradients and the running statistics have the bits that they would have otherwise. The model itself
    stays what it is: its blocks are exchanged while it runs.

    Args:
        model: Maps inputs (N, C, H, W) to logits (N, K).
        blocks: Modules in it, none within another.

    Source: Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost".
    """

    def __init__(self, model: nn.Module, blocks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.model = model
        self._blocks = tuple(blocks)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs to logits."""
        with _exchanged(self._blocks if torch.is_grad_enabled() else ()):
            logits: Tensor = self.model(inputs)
        return logits


def blocks_of(model: nn.Module) -> list[nn.Module]:
    """Return the blocks of a model, none within another: what its containers hold that has parts of its own.

    A row of single layers is a block by itself, unless it is the whole model.
    """
    found: list[nn.Module] = []
    for child in model.children():
        row = isinstance(child, nn.Sequential) and len(child) > 0 and not any(map(_has_parts, child))
        member = isinstance(model, _CONTAINERS) and not isinstance(child, _CONTAINERS) and _has_parts(child)
        if row or member:
            found.append(child)
        else:
            found += blocks_of(child)
    return found


def _has_parts(module: nn.Module) -> bool:
    return next(module.children(), None) is not None


@contextmanager
def _exchanged(blocks: Sequence[nn.Module]) -> Iterator[None]:
    """Have each block's forward pass run by torch's checkpoint, as long as the context lasts."""
    own = [vars(block).get("forward") for block in blocks]
    try:
        for block in blocks:
            block.forward = partial(_run, block.forward, block)
        yield
    finally:
        for block, forward in zip(blocks, own, strict=True):
            vars(block).pop("forward", None)
            if forward is not None:
                block.forward = forward


def _run(forward: Callable[..., Any], block: nn.Module, *args: Any, **keywords: Any) -> Any:
    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _statistics_kept(block)

    return checkpoint(forward, *args, use_reentrant=False, context_fn=contexts, **keywords)


@contextmanager
def _statistics_kept(block: nn.Module) -> Iterator[None]:
    """Leave the running statistics of batch norms alone: the first pass has counted the batch."""
    norms = [module for module in block.modules() if isinstance(module, _BatchNorm) and module.training]
    kept = [(buffer, buffer.clone()) for norm in norms for buffer in norm.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in kept:
                buffer.copy_(value)
