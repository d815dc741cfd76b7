"""torchvision itself, or one line that says why it does not import."""

from __future__ import annotations

from importlib import metadata

import zoo

__all__ = ["torchvision"]

try:
    import torchvision
except Exception as error:  # a torch that it was not built for: RuntimeError, ImportError, OSError, AttributeError
    versions = " and ".join(f"{name} {metadata.version(name)}" for name in ("torch", "torchvision"))
    reason = " ".join(str(error).split())[:120]
    raise zoo.PluginError(
        f"{versions} do not match ({reason}); install both from the same source: "
        "pip install --force-reinstall torch torchvision"
    ) from error
