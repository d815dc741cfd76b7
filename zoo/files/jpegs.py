"""libjpeg-turbo, by the operator that torchvision brings for it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

GREY, COLOUR = 1, 3
"""What the decoder gives, as torchvision numbers it."""

Decode = Callable[[Tensor, int], Tensor]
"""Maps a JPEG's bytes, uint8 (N,), and `GREY` or `COLOUR` to pixels, uint8 (C, H, W); raises RuntimeError."""


@functools.cache
def decoder() -> Decode | None:
    """Return what decodes JPEGs; None where torchvision is not there, or has no decoders any more.

    Its library alone is loaded. The package would import all of its models, and for one of their layers torch's
    compiler, which takes ten times as long and is the most of what a run's first image waits for.
    """
    if _operator() is None:
        with contextlib.suppress(ImportError, OSError, ValueError):
            spec = find_spec("torchvision")
            for folder in (spec.submodule_search_locations or ()) if spec else ():
                for library in sorted(Path(folder).glob("image*.so")):
                    torch.ops.load_library(library)  # type: ignore[no-untyped-call]
    if _operator() is None:
        with contextlib.suppress(ImportError):
            import_module("torchvision.io")
    return _operator()


def _operator() -> Decode | None:
    found: Decode | None = getattr(torch.ops.image, "decode_jpeg", None)
    return found
