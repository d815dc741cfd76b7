"""Dropout's random numbers, drawn faster than torch draws them on a CPU."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.random import SFC64
from torch import Tensor, nn

from zoo.shared import Shared
from zoo.training.arithmetic import is_plain

_LEVELS = 2**16  # a mask's element is decided by 16 bits, four to each number that is drawn


class _Chosen(threading.local):
    numpy = False


_chosen = _Chosen()


@contextmanager
def dropout_masks(source: str) -> Iterator[None]:
    """Let `nn.Dropout` and `nn.functional.dropout` take their masks from *source*, as long as the context lasts.

    It is for the thread that enters it: what others compute meanwhile stays torch's.

    Args:
        source: ``torch``, or ``numpy``: faster on CPUs. Elsewhere than on a CPU both are torch's.
    """
    before, _chosen.numpy = _chosen.numpy, source == "numpy"
    try:
        with _IN_TORCHS_PLACE:
            yield
    finally:
        _chosen.numpy = before


@contextmanager
def _in_torchs_place() -> Iterator[None]:
    of_torch = nn.functional.dropout

    def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        dropped = round(p * _LEVELS) if training and 0 < p < 1 else 0
        if torch.compiler.is_compiling() or not (0 < dropped < _LEVELS and _chosen.numpy and is_plain(input)):
            return of_torch(input, p, training, inplace)
        mask = _mask(input, dropped)
        return input.mul_(mask) if inplace else input * mask

    nn.functional.dropout = dropout
    try:
        yield
    finally:
        nn.functional.dropout = of_torch


_IN_TORCHS_PLACE = Shared(_in_torchs_place)


def _mask(like: Tensor, dropped: int) -> Tensor:
    """Return zeros, *dropped* in 65,536, and else one divided by the probability that it is none.

    On a CPU torch draws a double from the Mersenne twister for each element, on one thread. Here SFC64, seeded from
    torch's generator at each call, so that this remains the only state, gives 16 bits to each.
    """
    mask = torch.empty_like(like, requires_grad=False)
    # In the order of memory: comparing channels_last tensors into another type takes up to twice as long.
    elements = mask.as_strided((mask.numel(),), (1,))
    torch.ge(_random_int16(len(elements)), dropped - _LEVELS // 2, out=elements)
    return mask.mul_(_LEVELS / (_LEVELS - dropped))


def _random_int16(count: int) -> Tensor:
    """Return *count* uniform int16 numbers, in one row."""
    seed = int(torch.randint(2**63 - 1, (), device="cpu"))
    return torch.from_numpy(SFC64(seed).random_raw(-(-count // 4)).view(np.int16)[:count])
