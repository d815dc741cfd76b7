"""torch's compiler, imported when something is compiled rather than when the first optimizer is made.

Every `torch.optim.Optimizer` imports ``torch._dynamo`` when it is constructed and again in each step, only to tell a
compiler that is not there to stay away: 1 to 2 seconds and 150 MB at the start of each run. torchvision, and so timm,
imports ``torch._dynamo.utils`` for one of its operators, which asks something of it when it is called.
"""

from __future__ import annotations

import functools
import importlib
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch

NAME = "torch._dynamo"
_UTILS = f"{NAME}.utils"
_LOCK = threading.RLock()


def postpone() -> None:
    """Let ``torch._dynamo`` be imported at its first real use; nothing is lost but the time.

    Does nothing where it is imported already, or where this torch has no such module.
    """
    with _LOCK:
        spec = find_spec(NAME) if NAME not in sys.modules else None
        if spec is not None:
            sys.modules[NAME] = torch._dynamo = _Postponed(spec)
            sys.modules[_UTILS] = _PostponedUtils()


def uncompiled() -> AbstractContextManager[Any]:
    """Run functions that were compiled as they were written, as long as the context lasts."""
    return torch.compiler.set_stance("force_eager") if is_imported() else nullcontext()


def is_imported() -> bool:
    """Whether the compiler itself is in this process; where it is not, nothing can have been compiled."""
    return NAME in sys.modules and not isinstance(sys.modules[NAME], _Postponed)


class _Postponed(ModuleType):
    """Stands in for ``torch._dynamo`` until somebody asks for more than the two functions that optimizers call.

    Without a compiler, `graph_break` has nothing to do, and a function that is disabled for it is the function
    itself. Any other attribute, the import of a submodule (which asks for ``__path__``), and `torch.compile` bring in
    the real module, which answers from then on.
    """

    def __init__(self, spec: ModuleSpec) -> None:
        super().__init__(NAME)
        self.__spec__, self.__file__, self.__loader__ = spec, spec.origin, spec.loader

    def __getattr__(self, name: str) -> Any:
        return getattr(_real(), name)

    def graph_break(self, *args: Any, **options: Any) -> None:
        """Tell the compiler, if there is one, to stop here."""
        if is_imported():
            _real().graph_break(*args, **options)

    def disable(self, function: Callable[..., Any], *args: Any, **options: Any) -> Callable[..., Any]:
        """Return *function* as the compiler, once there is one, is to see it."""

        @functools.cache
        def disabled() -> Callable[..., Any]:
            made: Callable[..., Any] = _real().disable(function, *args, **options)
            return made

        def call(*given: Any, **named: Any) -> Any:
            return (disabled() if is_imported() else function)(*given, **named)

        return call


class _PostponedUtils(ModuleType):
    """Stands in for ``torch._dynamo.utils`` until more of it is used than is imported from it by name."""

    def __init__(self) -> None:
        super().__init__(_UTILS)
        self.__spec__ = ModuleSpec(_UTILS, None)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # what the import system and inspect ask of any module
        return getattr(_real_utils(), name)

    def is_compile_supported(self, device_type: str) -> Any:
        """Return what the compiler says of a device."""
        return _real_utils().is_compile_supported(device_type)


def _real() -> ModuleType:
    """Import the module itself in place of the one that stands in for it."""
    with _LOCK:
        if not is_imported():
            sys.modules.pop(NAME, None)
            sys.modules.pop(_UTILS, None)
        return importlib.import_module(NAME)


def _real_utils() -> ModuleType:
    _real()
    return importlib.import_module(_UTILS)
