"""Processes that linger in a phase of their run, so that a test can reach them there."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_SECONDS = 0.5
_FROM = 9  # steps: there is a checkpoint by then


def linger(phase: str, folder: Path, rank: int) -> None:
    """Have this process stay for a while in a phase of its run, once, and tell of each save.

    Args:
        phase: ``"step"``, ``"evaluation"`` or ``"save"``.
        folder: Where the file ``reached-RANK`` then says at which step it is, and ``saves`` gets a line a save.
        rank: Which process this is; the first one alone saves.
    """
    from zoo.records.checkpoints import CheckpointStore
    from zoo.runs.session import Session

    found: list[Session] = []

    def stay() -> None:
        marker = folder / f"reached-{rank}"
        if found and found[0].progress.step >= _FROM and not marker.exists():
            (folder / f".reached-{rank}").write_text(str(found[0].progress.step))
            (folder / f".reached-{rank}").rename(marker)
            time.sleep(_SECONDS)

    def noted(session: Session, *_: Any) -> None:
        found[:] = [session]
        if phase == "step":
            stay()

    def evaluated(*_: Any) -> None:
        if phase == "evaluation":
            stay()

    def saved(_: CheckpointStore, step: int, **__: Any) -> None:
        if phase == "save":
            stay()
        with (folder / "saves").open("a") as file:
            file.write(f"{step}\n")

    _before(Session, "step_finished", noted)
    _before(Session, "evaluation_batch", evaluated)
    _before(CheckpointStore, "save", saved)


def _before(owner: type, name: str, told: Callable[..., None]) -> None:
    method = getattr(owner, name)

    def both(*arguments: Any, **options: Any) -> Any:
        told(*arguments, **options)
        return method(*arguments, **options)

    setattr(owner, name, both)
