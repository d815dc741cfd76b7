"""Dropout's random numbers, drawn faster than torch draws them on a CPU."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.random import SFC64
from torch import Tensor, nn
from torch._C._functorch import is_functorch_wrapped_tensor

_LEVELS = 2**16  # a mask's element is decided by 16 bits, four to each number that is drawn


@contextmanager
def dropout_masks(source: str) -> Iterator[None]:
    """Let `nn.Dropout` and `nn.functional.dropout` take their masks from *source*, as long as the context lasts.

    It is for the thread that enters it: what others compute meanwhile stays torch's.

    Args:
        source: ``torch``, or ``numpy``: faster on CPUs. Elsewhere than on a CPU both are torch's.
    """
    before, _chosen.numpy = _chosen.numpy, source == "numpy"
    _PLACE.take()
    try:
        yield
    finally:
        _PLACE.leave()
        _chosen.numpy = before


class _Chosen(threading.local):
    numpy = False


class _Place:
    """Puts `_dropout` where torch's function is, while any thread is inside."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self.of_torch = nn.functional.dropout

    def take(self) -> None:
        with self._lock:
            if not self._inside:
                self.of_torch, nn.functional.dropout = nn.functional.dropout, _dropout
            self._inside += 1

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                nn.functional.dropout = self.of_torch


_chosen = _Chosen()
_PLACE = _Place()


def _dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero each element with probability *p* and divide the others by the probability that they are kept.

    On a CPU torch draws a double from the Mersenne twister for each element, on one thread. Here SFC64, seeded from
    torch's generator at each call, so that this remains the only state, gives 16 bits to each: *p* is rounded to the
    nearest multiple of 1 / 65,536.
    """
    dropped = round(p * _LEVELS) if training and 0 < p < 1 else 0
    if torch.compiler.is_compiling() or not (0 < dropped < _LEVELS and _chosen.numpy and _is_plain(input)):
        return _PLACE.of_torch(input, p, training, inplace)
    mask = torch.empty_like(input, requires_grad=False)
    torch.ge(_random_int16(mask), dropped - _LEVELS // 2, out=mask).mul_(_LEVELS / (_LEVELS - dropped))
    return input.mul_(mask) if inplace else input * mask


def _is_plain(input: Tensor) -> bool:
    """Whether *input* is numbers on a CPU, rather than a tensor of another kind, or one that vmap or grad sees."""
    return (
        type(input) is Tensor
        and input.device.type == "cpu"
        and input.layout is torch.strided
        and not input.is_nested
        and not is_functorch_wrapped_tensor(input)
        and input.numel() > 0
    )


def _random_int16(like: Tensor) -> Tensor:
    """Return uniform int16 numbers in the shape and memory layout of *like*, which has no gaps."""
    seed = int(torch.randint(2**63 - 1, (), device="cpu"))
    drawn = SFC64(seed).random_raw(-(-like.numel() // 4)).view(np.int16)
    return torch.from_numpy(drawn).as_strided(like.size(), like.stride())
