"""zoo: a plugin-based image-classification trainer and model zoo for PyTorch.

The names below are the public interface; they are resolved on first use, so that ``import zoo`` costs next to nothing
and never imports torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from zoo import testing as testing
    from zoo.data import Dataset as Dataset
    from zoo.data import TensorImages as TensorImages
    from zoo.errors import DamagedError as DamagedError
    from zoo.errors import PluginError as PluginError
    from zoo.errors import UsageError as UsageError
    from zoo.errors import ZooError as ZooError
    from zoo.registry import hookimpl as hookimpl

_HOMES = {
    "DamagedError": "zoo.errors",
    "Dataset": "zoo.data",
    "PluginError": "zoo.errors",
    "TensorImages": "zoo.data",
    "UsageError": "zoo.errors",
    "ZooError": "zoo.errors",
    "hookimpl": "zoo.registry",
}
_MODULES = {"testing"}

__all__ = ["__version__", *sorted(_HOMES), *sorted(_MODULES)]  # noqa: PLE0604 - the names stand in _HOMES


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
    elif name in _MODULES:
        value = importlib.import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
