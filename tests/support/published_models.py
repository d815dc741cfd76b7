"""Published models of timm's, small and hardly trained, for tests of what other libraries make of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from small_photos import photographs

import zoo

SIDE = 28
KINDS = ("grey", "transformer", "channels_last", "colour")
"""Two convolutional networks of grey images, one laid out otherwise; a ViT at a size not its own; one of colour."""

_SETTINGS: dict[str, Any] = {"steps": 2, "batch_size": 24, "threads": 1, "precision": "fp32"}


def published(kind: str, folder: Path, **wishes: Any) -> Path:
    """Train and publish a model of a *kind*; the run lies beside it, in ``run``."""
    settings, options = dict(_SETTINGS), {"data.limit": 64}
    name = "timm/vit_tiny_patch16_224" if kind == "transformer" else "timm/resnet10t"
    if kind == "channels_last":
        settings["memory_format"] = "channels_last"
    if kind == "colour":
        settings["data"] = "folder"
        options = {"data.root": str(photographs(folder / "photos")), "data.size": SIDE}
    zoo.train(name, out=folder / "run", options=options, **settings)
    zoo.publish(folder / "run", folder / "published", **wishes)
    return folder / "published"


def logits_of(folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Return inputs, and what zoo's own loading makes of them."""
    own = zoo.load(folder)
    channels = own.prepare.channels
    images = torch.randint(0, 256, (3, channels, SIDE, SIDE), dtype=torch.uint8, generator=_generator())
    inputs = own.prepare(images).contiguous()
    with torch.no_grad():
        return inputs, own.module.to(memory_format=torch.contiguous_format)(inputs)


def pictures(folder: Path, count: int = 6) -> list[Path]:
    """Write smooth pictures of colour, of the size that the models were trained at."""
    folder.mkdir(exist_ok=True)
    paths = []
    for index in range(count):
        corners = np.random.default_rng(index).integers(0, 256, (3, 3, 3), dtype=np.uint8)
        paths.append(folder / f"{index}.png")
        Image.fromarray(corners).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(paths[-1])
    return paths


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)
