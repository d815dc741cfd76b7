"""A Hugging Face cache as the hub's own client would have left it, so that pretrained weights need no network."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

_COMMIT = "0" * 40


def use_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the hub's client look into *folder* alone."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def place_weights(folder: Path, name: str, seed: int = 0) -> tuple[torch.nn.Module, str]:
    """Put weights of a timm model under its name on the hub; return the model that has them, and the file's SHA-256."""
    import timm

    torch.manual_seed(seed)
    model = timm.create_model(name.partition(".")[0])
    for parameter in model.parameters():  # other values than any fresh model has
        torch.nn.init.normal_(parameter, std=0.1)
    repository = folder / f"models--timm--{name}"
    for part in ("blobs", "refs", f"snapshots/{_COMMIT}"):
        (repository / part).mkdir(parents=True)
    (repository / "refs" / "main").write_text(_COMMIT)
    save_file(model.state_dict(), repository / "new")
    digest = hashlib.sha256((repository / "new").read_bytes()).hexdigest()
    (repository / "new").rename(repository / "blobs" / digest)
    (repository / "snapshots" / _COMMIT / "model.safetensors").symlink_to(f"../../blobs/{digest}")
    return model, digest
