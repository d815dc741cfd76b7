"""Small checkpoints, each different for each step and label, and how to tell that one is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo.records.checkpoints import Checkpoint, CheckpointStore
from zoo.records.disk import DISK, Disk


def content(step: int, label: str = "") -> dict[str, Any]:
    """Return what `CheckpointStore.save` takes for a step."""
    weights = torch.arange(3.0) + step
    tensors: dict[str, dict[str, Tensor]] = {
        "model": {"w": weights, "n": torch.tensor(step)},
        "optimizer": {"state/w/exp_avg": weights * 2},
    }
    return {"tensors": tensors, "state": {"step": step, "label": label}}


def save(root: Path, step: int, label: str = "", disk: Disk = DISK) -> Path:
    """Save a small checkpoint among those of the run *root*."""
    return CheckpointStore(root / "checkpoints", disk).save(step, **content(step, label))


def checked(checkpoint: Checkpoint | None, step: int | None = None) -> Checkpoint:
    """Return the checkpoint; fail unless there is one, of this step where one is given, with what was saved for it."""
    assert checkpoint is not None
    assert step is None or checkpoint.step == step
    expected = content(checkpoint.step, checkpoint.state["label"])
    assert checkpoint.state == expected["state"]
    for part, tensors in expected["tensors"].items():
        found = checkpoint.tensors(part)
        assert found.keys() == tensors.keys()
        assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())
    return checkpoint


def names_in(root: Path) -> list[str]:
    """Return the names of all that is in the run's checkpoint directory."""
    return sorted(path.name for path in (root / "checkpoints").iterdir())
