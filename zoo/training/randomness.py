"""The generators that models, optimizers and dropout draw from: Python's, NumPy's and torch's."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor


def seed_everything(seed: int) -> None:
    """Seed them all, from 0 to 2**63 - 1."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def random_state() -> dict[str, Any]:
    """Return the state of the generators, on every device, as plain data."""
    kind, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
    version, numbers, next_gauss = random.getstate()
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {
        "python": [version, list(numbers), next_gauss],
        "numpy": [str(kind), [int(key) for key in keys], int(position), int(has_gauss), float(gauss)],
        "torch": _to_text(torch.get_rng_state()),
        "cuda": [_to_text(state) for state in devices],
        "mps": _to_text(torch.mps.get_rng_state()) if torch.backends.mps.is_available() else None,
    }


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Put the generators back afterwards, whatever has drawn from them."""
    state = random_state()
    try:
        yield
    finally:
        restore_random_state(state)


def restore_random_state(state: Mapping[str, Any]) -> None:
    """Put back what `random_state` returned."""
    version, numbers, next_gauss = state["python"]
    random.setstate((version, tuple(numbers), next_gauss))
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), *rest))
    torch.set_rng_state(_from_text(state["torch"]))
    if torch.backends.mps.is_available() and state.get("mps"):
        torch.mps.set_rng_state(_from_text(state["mps"]))
    if torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([_from_text(text) for text in state["cuda"]])


def _to_text(state: Tensor) -> str:
    return base64.b64encode(state.numpy().tobytes()).decode("ascii")


def _from_text(text: str) -> Tensor:
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8)
