"""The hooks that a plugin may implement: one to register what it offers, the others to watch runs.

Hooks, and the methods of ``add``, only ever gain arguments; an implementation names those that it wants.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from zoo.registry.adding import Add

GROUP = "zoo"  # the entry-point group, and the name by which pluggy tells our hooks from other projects'

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def register(add: Add) -> None:
    """Say what the plugin offers.

    Args:
        add: One method a kind: ``add.model("name", "module:builder", summary="What it is.")``.
    """


@hookspec
def run_started(run: Mapping[str, Any]) -> None:
    """A run is about to take its first step.

    Args:
        run: What is trained, on what, and how; read-only.
    """


@hookspec
def epoch_finished(run: Mapping[str, Any], epoch: Mapping[str, Any]) -> None:
    """An epoch was trained and validated.

    Args:
        run: As for `run_started`.
        epoch: The epoch's row of ``metrics.csv``.
    """


@hookspec
def checkpoint_saved(run: Mapping[str, Any], checkpoint: Mapping[str, Any]) -> None:
    """A checkpoint is safely on the disk.

    Args:
        run: As for `run_started`.
        checkpoint: Its directory, step and epoch, and whether it is the best so far.
    """


@hookspec
def run_finished(run: Mapping[str, Any], summary: Mapping[str, Any]) -> None:
    """A run reached its end.

    Args:
        run: As for `run_started`.
        summary: What ``summary.json`` holds.
    """


@hookspec
def run_failed(run: Mapping[str, Any], error: Mapping[str, Any]) -> None:
    """A run stopped early, by a fault or a signal.

    Args:
        run: As for `run_started`.
        error: The error's type, message and exit code.
    """
