"""What zoo uses of W&B, without it: a server that keeps each run's rows, and folders that a run offline leaves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any


class FakeWandB(ModuleType):
    """Stands in for the module.

    Attributes:
        rows: By a run's id its history on the server, in the order in which the rows came.
        asked: What `init` was given, call by call.
        runs: What it returned.
    """

    def __init__(self) -> None:
        super().__init__("wandb")
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.asked: list[dict[str, Any]] = []
        self.runs: list[FakeRun] = []

    def Settings(self, **settings: Any) -> dict[str, Any]:
        return settings

    def init(self, **asked: Any) -> FakeRun:
        self.asked.append(asked)
        self.runs.append(FakeRun(self, len(self.asked), **asked))
        return self.runs[-1]


class FakeRun:
    """A run as one process sees it."""

    def __init__(self, wandb: FakeWandB, number: int, *, id: str, mode: str | None, dir: str, **_: Any) -> None:
        self.id, self.offline = id, mode == "offline"
        self.summary: dict[str, Any] = {}
        self.ended: list[Any] = []
        folder = Path(dir) / "wandb" / f"{'offline-run' if self.offline else 'run'}-{number}-{id}"
        folder.mkdir(parents=True)
        self.settings = SimpleNamespace(sync_dir=str(folder))
        self.rows: list[dict[str, Any]] = [] if self.offline else wandb.rows.setdefault(id, [])
        self.starting_step = self.rows[-1]["_step"] + 1 if self.rows else 0

    def log(self, row: Mapping[str, float], *, step: int, commit: bool) -> None:
        assert commit, "the row would wait for the next one"
        self.rows.append({**row, "_step": step})

    def mark_preempting(self) -> None:
        self.ended.append("preempting")

    def finish(self, exit_code: int = 0) -> None:
        self.ended.append(exit_code)
