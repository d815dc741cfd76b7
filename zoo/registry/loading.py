"""Loading one plugin inside a guard: whatever it does, it costs only itself."""

from __future__ import annotations

import contextlib
import inspect
import sys
import time
from typing import Any

import pluggy

import zoo
from zoo.errors import Interrupted, PluginError, debugging, suggestions
from zoo.registry import hookspec
from zoo.registry.adding import Add
from zoo.registry.compatibility import accepts
from zoo.registry.discovery import Found
from zoo.registry.entry import Plugin, in_one_line

_HOOKS = frozenset(name for name, value in vars(hookspec).items() if inspect.isfunction(value))


class _Manager(pluggy.PluginManager):
    """pluggy's manager; it skips names that cannot be hooks, most of a module's, which halves what a plugin costs."""

    def parse_hookspec_opts(self, module_or_class: Any, name: str) -> pluggy.HookspecOpts | None:
        return super().parse_hookspec_opts(module_or_class, name) if name in _HOOKS else None

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> pluggy.HookimplOpts | None:
        return None if name.startswith("_") else super().parse_hookimpl_opts(plugin, name)


def load(found: Found) -> Plugin:
    """Import a plugin, register its hooks with pluggy and collect its entries.

    Returns:
        The plugin, whose entries all count where its status is ``"ok"``, and none otherwise.
    """
    try:
        if found.fault:
            raise PluginError(found.fault)
        if not accepts(found.requires, zoo.__version__):
            reason = f"it requires {found.requires}, and zoo is {zoo.__version__}"
            return unloaded(found, "incompatible", reason)
        return _load(found)
    except (KeyboardInterrupt, Interrupted):
        raise
    except BaseException as error:  # SystemExit and a Rust extension's panic are no Exception, and end no program
        if debugging():
            import traceback

            traceback.print_exc()
        return unloaded(found, "broken", in_one_line(error))


def unloaded(found: Found, status: str, reason: str) -> Plugin:
    """Return a plugin of which nothing counts, for this *reason*."""
    return Plugin(found.label, found.distribution, found.version, found.requires, status, reason)


def _load(found: Found) -> Plugin:
    had_torch = "torch" in sys.modules
    started = time.perf_counter()
    # A plugin that prints while it is imported would spoil the JSON on stdout.
    with contextlib.redirect_stdout(sys.stderr):
        hooks = _hooks(found)
        add = Add(found.label, found.distribution, found.version)
        hooks.register(add=add)
    return Plugin(
        found.label,
        found.distribution,
        found.version,
        found.requires,
        import_ms=(time.perf_counter() - started) * 1000,
        pulled_torch="torch" in sys.modules and not had_torch,
        entries=add.entries(),
        hooks=hooks,
    )


def _hooks(found: Found) -> pluggy.HookRelay:
    # A manager of its own for each plugin, so that its hooks are called alone, and two names may share a module.
    manager = _Manager(hookspec.GROUP)
    manager.add_hookspecs(hookspec)
    plugin = found.entry_point.load()
    try:
        manager.register(plugin, name=found.label)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PluginError(_misuse(manager, plugin) or in_one_line(error)) from error
    if not any(getattr(manager.hook, name).get_hookimpls() for name in _HOOKS):
        raise PluginError(f"{found.entry_point.value!r} has no hook: put @zoo.hookimpl above 'def register(add)'")
    return manager.hook


def _misuse(manager: pluggy.PluginManager, plugin: object) -> str:
    """Say which hook a plugin misspelt or gave an unknown argument; pluggy's own words vary with the hash seed."""
    for attribute in dir(plugin):
        options = manager.parse_hookimpl_opts(plugin, attribute)
        if options is None:
            continue
        hook = options["specname"] or attribute
        if hook not in _HOOKS:
            close = suggestions(hook, _HOOKS)
            guess = f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(sorted(_HOOKS))}."
            return f"no hook is named {hook!r}. {guess}"
        given = inspect.signature(getattr(hookspec, hook)).parameters
        for wanted in inspect.signature(getattr(plugin, attribute)).parameters:
            if wanted not in given:
                return f"hook {hook!r} takes no {wanted!r}: it is given {', '.join(given)}"
    return ""
