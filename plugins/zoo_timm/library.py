"""timm itself, or one line that says why it does not import."""

from __future__ import annotations

from importlib import metadata

import zoo

__all__ = ["timm"]

try:
    import timm
except Exception as error:  # most likely torchvision, which timm imports, beside a torch that it was not built for
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("timm", "torch", "torchvision"))
    reason = " ".join(str(error).split())[:120]
    raise zoo.PluginError(
        f"timm does not import ({reason}) with {versions}; install torch and torchvision from the same source: "
        "pip install --force-reinstall torch torchvision"
    ) from error
