"""Weights files from elsewhere."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import zoo


def test_a_safetensors_file_is_read_with_and_without_its_hash(tmp_path: Path):
    """The hash that comes back is the file's; letters of either case will do."""
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.arange(3.0)}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    for given in ("", digest, digest.upper()):
        weights = zoo.read_weights(path, sha256=given)
        assert torch.equal(weights.tensors["a"], torch.arange(3.0))
        assert weights.sha256 == digest


def test_nothing_is_unpickled_before_the_hash_was_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A wrong hash, or none, ends before torch sees a byte."""
    path = tmp_path / "a.pth"
    torch.save({"a": torch.ones(1)}, path)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(zoo.DamagedError, match="has the SHA-256"):
        zoo.read_weights(path, sha256="0" * 64)
    with pytest.raises(zoo.UsageError, match="is a pickle"):
        zoo.read_weights(path)


@pytest.mark.parametrize("content", [[torch.ones(1)], {"a": 1}, torch.ones(2)])
def test_what_is_no_state_dict_is_told(content: object, tmp_path: Path):
    """A list, numbers, or one tensor."""
    path = tmp_path / "a.pt"
    torch.save(content, path)
    with pytest.raises(zoo.DamagedError, match="holds no state dict"):
        zoo.read_weights(path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def test_a_file_that_is_not_there_is_the_users_error(tmp_path: Path):
    """Whatever its kind."""
    for name in ("a.safetensors", "a.pth"):
        with pytest.raises(zoo.UsageError, match="cannot read"):
            zoo.read_weights(tmp_path / name, sha256="0" * 64)
