"""timm's parts, each imported when it is asked for, or one line that says why it does not import.

``timm.optim`` imports torch's compiler, and ``timm.data`` torchvision's datasets; a model needs neither.
"""

from __future__ import annotations

from importlib import import_module, metadata
from typing import Any

import zoo

_PARTS = {
    "timm": "timm",
    "models": "timm.models",
    "data": "timm.data",
    "losses": "timm.loss",
    "optimizers": "timm.optim",
}


def __getattr__(name: str) -> Any:  # timm does not state its types
    if name not in _PARTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return import_module(_PARTS[name])
    except Exception as error:  # most likely torchvision, which timm imports, beside a torch that it was not built for
        reason = " ".join(str(error).split())[:120]
        raise zoo.PluginError(
            f"timm does not import ({reason}) beside {_installed('torch')} and {_installed('torchvision')}; "
            "install those two from the same source: pip install --force-reinstall torch torchvision"
        ) from error


def _installed(name: str) -> str:
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return f"no {name}"
