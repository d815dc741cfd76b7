"""Commands that take an exported file where they take a run."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from zoo.errors import UsageError


def is_exported(run: Path) -> bool:
    """Return whether a path is meant to be an exported file, and no run."""
    return run.suffix.lower() == ".onnx" and not run.is_dir()


def refuse_for_file(file: Path, *names: str) -> None:
    """Refuse options that mean something for runs alone.

    Raises:
        UsageError: If one of them was given.
    """
    context = click.get_current_context()
    for name in names:
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise UsageError(f"--{name} is for a run; {str(file)!r} is one model with what it was checked on")
