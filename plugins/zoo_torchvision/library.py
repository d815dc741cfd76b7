"""torchvision itself, or one line that says why it does not import."""

from __future__ import annotations

from importlib import metadata

import zoo

__all__ = ["torchvision"]


def _installed(name: str) -> str:
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return f"{name} (of unknown version)"


try:
    import torchvision
except Exception as error:  # a torch that it was not built for: RuntimeError, ImportError, OSError, AttributeError
    reason = " ".join(str(error).split())[:120]
    raise zoo.PluginError(
        f"{_installed('torch')} and {_installed('torchvision')} do not match ({reason}); "
        "install both from the same source: pip install --force-reinstall torch torchvision"
    ) from error
