"""timm itself, or one line that says why it does not import."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import zoo

__all__ = ["data", "losses", "models", "optimizers", "timm"]


def _installed(name: str) -> str:
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return f"no {name}"


try:
    import timm
    import timm.data
    import timm.loss
    import timm.optim
except Exception as error:  # most likely torchvision, which timm imports, beside a torch that it was not built for
    reason = " ".join(str(error).split())[:120]
    raise zoo.PluginError(
        f"timm does not import ({reason}) beside {_installed('torch')} and {_installed('torchvision')}; "
        "install those two from the same source: pip install --force-reinstall torch torchvision"
    ) from error

# timm does not state the types of these.
data: Any = timm.data
models: Any = timm.models
losses: Any = timm.loss
optimizers: Any = timm.optim
