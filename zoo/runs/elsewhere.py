"""Trained models that are named rather than lying on this machine's disk: where they are, and how they come here."""

from __future__ import annotations

from pathlib import Path

from zoo.errors import UsageError


def refuse_missing(source: Path) -> None:
    """See that there is something at a path that is meant to be a trained model, before torch is imported.

    Raises:
        UsageError: If there is nothing.
    """
    if not source.expanduser().exists():
        raise UsageError(f"there is no run {str(source)!r}; 'zoo runs' lists those in the folder runs")
