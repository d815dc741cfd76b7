"""What exporters must do."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from zoo.errors import UsageError
from zoo.registry import Entry, build
from zoo.testing.building import seeded
from zoo.testing.outcome import ContractError, NotChecked

_CLASSES = ("auk", "gull", "tern")
_SIZE = (12, 9)
_MEND = "Return what maps images, uint8 (N, C, H, W), to the logits and the probabilities, or None."
_FACTS = {
    "schema": 1,
    "zoo": "0.1.0",
    "classes": list(_CLASSES),
    "channels": 3,
    "image_size": list(_SIZE),
    "fit": "stretch",
    "interpolation": "bilinear",
    "temperature": None,
    "checkpoint": "best",
    "epoch": 2,
    "step": 860,
    "checkpoint_digest": "5f" * 32,
    "test": {"known_by": "pixels", "sha256": "5f" * 32},
    "config": {"schema": 4, "model": {"name": "cnn/cnn_dropout"}, "train": {"epochs": 2}},
}


class _Small(nn.Module):
    """A classifier as an export gets it: uint8 in, logits and probabilities out."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.head = nn.Linear(4, len(_CLASSES))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        logits: Tensor = self.head(self.features(images.to(torch.float32) / 255).mean((2, 3)))
        return logits, logits.softmax(dim=1)


def check_file(entry: Entry) -> str:
    """Write one file at the path that it is given; what it returns, if anything, says what the module says."""
    with seeded():
        module = _Small().eval()
        images = torch.randint(0, 256, (7, 3, *_SIZE), dtype=torch.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"model.{entry.name}")
        classify = _exported(entry, module, images, path)
        written = sorted(item.name for item in Path(folder).iterdir())
        if written != [path.name]:
            raise ContractError(
                entry,
                expected=f"one file, {path.name!r}",
                seen=", ".join(written) or "none",
                mend="Write all of it into the file that 'path' names.",
            )
        if classify is None:
            return "not read again"
        for count in (1, 2, 7):
            _compare(entry, module, classify, images[:count])
    return "says what the module says"


def _exported(entry: Entry, module: nn.Module, images: Tensor, path: Path) -> Any:
    facts = {"module": module, "example": images[:2], "facts": _FACTS, "path": path, "calibration": None}
    try:
        with torch.no_grad():
            return build(entry, facts=facts, options={})
    except UsageError as error:
        raise NotChecked(str(error)) from None


def _compare(entry: Entry, module: nn.Module, classify: Any, images: Tensor) -> None:
    with torch.no_grad():
        expected = [part.numpy() for part in module(images)]
    found = classify(images.numpy())
    if not isinstance(found, Sequence) or len(found) != len(expected):
        raise ContractError(
            entry,
            expected="the logits and the probabilities",
            seen=f"{len(found)} results" if isinstance(found, Sequence) else f"a {type(found).__name__}",
            mend=_MEND,
        )
    for name, own, other in zip(("logits", "probabilities"), expected, map(np.asarray, found), strict=True):
        if own.shape != other.shape or not np.allclose(own, other, rtol=1e-5, atol=1e-5):
            raise ContractError(
                entry,
                expected=f"the module's {name} of {len(images)} images, {own.shape}",
                seen=f"{other.shape}" if own.shape != other.shape else f"others, by up to {np.abs(own - other).max()}",
                mend=_MEND,
            )


CHECKS = {"writes a file that says what the module says": check_file}
