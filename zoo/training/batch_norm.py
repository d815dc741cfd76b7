"""Batch norm over the samples of all processes."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from zoo.errors import UsageError

_PLAIN = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def synchronise(model: nn.Module, device: torch.device) -> None:
    """Replace each batch norm in *model* by torch's that normalises over all processes; parameters and names stay.

    Raises:
        UsageError: If *device* is no GPU, or a layer is a batch norm of another make, which would lose what it adds.
    """
    if device.type != "cuda":
        raise UsageError(
            f"--sync-batch-norm is for CUDA devices alone, and this run is on {device.type}; leave it out: then each "
            "slice is normalised by itself, with the same bits at any number of processes"
        )
    for name, module in list(model.named_modules()):
        if isinstance(module, _BatchNorm) and type(module) not in (*_PLAIN, nn.SyncBatchNorm):
            raise UsageError(
                f"--sync-batch-norm cannot replace {name!r}, a {type(module).__name__}, which is more than torch's own "
                "batch norm; leave it out"
            )
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, _PLAIN):
                setattr(parent, name, nn.SyncBatchNorm.convert_sync_batchnorm(child))  # type: ignore[no-untyped-call]
