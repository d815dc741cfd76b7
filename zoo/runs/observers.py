"""Telling plugins what happens in a run. An observer that fails is reported once, then left out."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pluggy import HookCaller

from zoo.errors import PluginError
from zoo.registry import registry
from zoo.registry.entry import in_one_line
from zoo.runs.components import Component
from zoo.training.randomness import random_state_kept

HOOKS = ("run_started", "epoch_finished", "checkpoint_saved", "run_finished", "run_failed")


class Observers:
    """The hooks of the installed plugins and of the observers that were chosen for the run.

    Args:
        chosen: Observers by name, built here.
        notice: Is given one line when an observer fails.
        first: Whether this is the first process of the run: in the others nobody watches.

    Raises:
        UsageError: If an observer's options are wrong.
        PluginError: If an observer cannot be built, or has none of the hooks.
    """

    def __init__(self, chosen: Sequence[Component], notice: Callable[[str], None], *, first: bool = True) -> None:
        self._notice = notice
        self._failed: set[str] = set()
        self._callers: dict[str, list[tuple[str, Callable[..., Any]]]] = {
            hook: [(str(plugin), caller) for plugin, caller in registry().implementations(hook)] if first else []
            for hook in HOOKS
        }
        for component in chosen if first else ():
            self._add(component)

    def tell(self, hook: str, **data: Mapping[str, Any]) -> None:
        """Call *hook* of every observer with read-only views of *data*; what they draw at random is not the run's."""
        if self._callers[hook]:
            with random_state_kept():
                self._tell(hook, {name: read_only(value) for name, value in data.items()})

    def _tell(self, hook: str, views: Mapping[str, Any]) -> None:
        for label, caller in self._callers[hook]:
            if label in self._failed:
                continue
            try:
                caller(**views)
            except Exception as error:
                self._failed.add(label)
                self._notice(f"{label} failed in {hook} and is left out from here on: {in_one_line(error)}")

    def _add(self, component: Component) -> None:
        observer = component.build()
        methods = {hook: getattr(observer, hook) for hook in HOOKS if callable(getattr(observer, hook, None))}
        if not methods:
            raise PluginError(
                f"{component.label} built {type(observer).__name__}, which has none of {', '.join(HOOKS)}"
            )
        for hook, method in methods.items():
            self._callers[hook].append((component.label, with_what_it_names(method)))


def with_what_it_names(method: Callable[..., Any]) -> Callable[..., Any]:
    """Let *method* name only the arguments that it wants, as hooks may; what calls a plugin's hook takes them all."""
    if isinstance(method, HookCaller):
        return method
    wanted = inspect.signature(method).parameters
    return lambda **data: method(**{name: value for name, value in data.items() if name in wanted})


def read_only(value: Any) -> Any:
    """Return *value* so that an observer cannot change the run through it."""
    if isinstance(value, Mapping):
        return MappingProxyType({key: read_only(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return tuple(read_only(item) for item in value)
    return value
