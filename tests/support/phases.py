"""Processes that linger in a phase of their run, so that a test can reach them there."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PHASES = ("joining", "step", "evaluation", "save")

_SECONDS = 0.5
_FROM = 9  # steps: there is a checkpoint by then


def linger(phase: str, folder: Path, rank: int) -> None:
    """Have this process stay for a while in a phase of its run, once, and tell of each save.

    Args:
        phase: ``"step"``, ``"evaluation"`` or ``"save"``, or ``"joining"``: before it meets the others.
        folder: Where the file ``reached-RANK`` then says at which step it is, and ``saves`` gets a line a save.
        rank: Which process this is; the first one alone saves.
    """
    from zoo.records.checkpoints import CheckpointStore
    from zoo.runs.session import Session

    found: list[Session] = []
    marker = folder / f"reached-{rank}"

    def stay_at(step: int) -> None:
        (folder / f".reached-{rank}").write_text(str(step))
        (folder / f".reached-{rank}").rename(marker)
        time.sleep(_SECONDS)

    def stay() -> None:
        if found and found[0].progress.step >= _FROM and not marker.exists():
            stay_at(found[0].progress.step)

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

    if phase == "joining":
        stay_at(0)
    _before(Session, "step_finished", noted)
    _before(Session, "evaluation_batch", evaluated)
    _before(CheckpointStore, "save", saved)


def _before(owner: type, name: str, told: Callable[..., None]) -> None:
    method = getattr(owner, name)

    def both(*arguments: Any, **options: Any) -> Any:
        told(*arguments, **options)
        return method(*arguments, **options)

    setattr(owner, name, both)
