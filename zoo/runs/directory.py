"""A run's directory: what it holds, and how it is told from any other folder."""

from __future__ import annotations

import csv
import dataclasses
import io
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tomli_w
import torch

import zoo
from zoo.config import Config, Layer
from zoo.errors import DamagedError, UsageError
from zoo.runs.checkpoints import CheckpointStore
from zoo.runs.files import DISK, parse_json, read_bytes, write_atomic
from zoo.training.fit import EpochResult

CONFIG = "config.toml"
ENVIRONMENT = "environment.json"
METRICS = "metrics.csv"
SUMMARY = "summary.json"
CHECKPOINTS = "checkpoints"
_MAX_JSON = 2**20  # bytes; what zoo writes has some thousand
COLUMNS = [field.name for field in dataclasses.fields(EpochResult)]


class RunDirectory:
    """The files of one run.

    Args:
        path: The run's own directory; it need not exist yet.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser()
        self.checkpoints = CheckpointStore(self.path / CHECKPOINTS)

    @classmethod
    def open(cls, path: str | Path) -> RunDirectory:
        """Return the run at *path*.

        Raises:
            UsageError: If there is none.
        """
        directory = cls(path)
        if not directory.path.is_dir():
            raise UsageError(f"there is no run {str(path)!r}; 'zoo runs' lists those in the folder runs")
        if not directory.holds_run:
            raise UsageError(f"{str(path)!r} is no run: it has no {CONFIG}; 'zoo runs' lists those in the folder runs")
        return directory

    def __str__(self) -> str:
        return str(self.path)

    @property
    def holds_run(self) -> bool:
        """Whether a run was begun here."""
        return (self.path / CONFIG).is_file()

    @property
    def is_free(self) -> bool:
        """Whether a new run may be made here: nothing is there but what a lock leaves behind."""
        try:
            return all(item.name.startswith(".") for item in self.path.iterdir())
        except FileNotFoundError:
            return True
        except NotADirectoryError:
            return False

    def make(self) -> None:
        """Make the directory, and those above it, where they are missing, and see that it can be written to.

        Raises:
            UsageError: If that is not possible.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            DISK.sync_directory(self.path.parent)
        except OSError as error:
            raise UsageError(
                f"cannot make the run directory {str(self.path)!r}: {error.strerror}; give another --out"
            ) from None
        if not os.access(self.path, os.W_OK):
            raise UsageError(f"cannot write to the run directory {str(self.path)!r}; give another --out")

    def claimed(self) -> RunDirectory:
        """Make the directory for a run that zoo named, and return it; with a number where another process was first.

        Raises:
            UsageError: If that is not possible.
        """
        directory, number = self, 2
        while True:
            try:
                directory.path.mkdir(parents=True)
            except FileExistsError:
                directory = RunDirectory(self.path.with_name(f"{self.path.name}-{number}"))
                number += 1
                continue
            except OSError:
                pass  # the next line meets it again, and says what it is
            directory.make()
            return directory

    def clear(self) -> None:
        """Remove all that a run left here, the configuration last, so that a half-removed run still counts as one.

        The summary goes first: a run without its checkpoints must not say that it is finished.

        Raises:
            UsageError: If something cannot be removed: checkpoints that stayed would pass for the next run's.
        """
        try:
            for name in (SUMMARY, CHECKPOINTS, METRICS, ENVIRONMENT, CONFIG):
                DISK.remove(self.path / name)
        except OSError as error:
            raise UsageError(
                f"cannot remove the run in {str(self.path)!r}: {error.strerror}: {error.filename}; give another --out"
            ) from error

    def read_config(self) -> Config:
        """Return the run's complete configuration.

        Raises:
            DamagedError: If the file is damaged.
        """
        from zoo.config import read_toml

        try:
            return Config.from_layers([Layer(str(self.path / CONFIG), read_toml(self.path / CONFIG))])
        except UsageError as error:
            raise DamagedError(f"the run {str(self.path)!r} is damaged: {error}") from error

    def write_config(self, config: Config) -> None:
        """Write the configuration; `zoo train --config` repeats the run from it."""
        write_atomic(self.path / CONFIG, tomli_w.dumps(config.to_dict()))

    def write_environment(self, environment: Mapping[str, Any]) -> None:
        """Write what the run computes with."""
        self._write_json(ENVIRONMENT, environment)

    def read_environment(self) -> dict[str, Any]:
        """Return what the run began to compute with; empty where that was not kept."""
        return self._read_json(ENVIRONMENT)

    def write_metrics(self, results: Iterable[EpochResult]) -> None:
        """Write one row an epoch. The file is always written whole, so no row is ever lost or doubled."""
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(dataclasses.asdict(result) for result in results)
        write_atomic(self.path / METRICS, text.getvalue())

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write what became of the run."""
        self._write_json(SUMMARY, summary)

    def read_summary(self) -> dict[str, Any]:
        """Return what became of the run; empty where it wrote nothing yet.

        Raises:
            DamagedError: If the file is damaged.
        """
        return self._read_json(SUMMARY)

    def _write_json(self, name: str, value: Mapping[str, Any]) -> None:
        import json

        write_atomic(self.path / name, json.dumps(value, indent=2, allow_nan=False) + "\n")

    def _read_json(self, name: str) -> dict[str, Any]:
        path = self.path / name
        if not path.exists():
            return {}
        read = parse_json(read_bytes(path, _MAX_JSON), str(path))
        if not isinstance(read, dict):
            raise DamagedError(f"{path} is damaged: it holds no JSON object")
        return read


def new_path(model: str, data: str, parent: Path = Path("runs")) -> Path:
    """Return a path for a new run that does not exist yet: runs/TIMESTAMP-MODEL-DATA."""
    plain = [re.sub(r"[^A-Za-z0-9_.-]+", "_", name.rpartition("/")[2]) for name in (model, data)]
    base = parent / "-".join([time.strftime("%Y%m%d-%H%M%S"), *plain])
    path, number = base, 2
    while path.exists():
        path, number = base.with_name(f"{base.name}-{number}"), number + 1
    return path


def environment(device: torch.device, threads: int, providers: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run computes with, as environment.json holds it."""
    return {
        "schema": 1,
        "zoo": zoo.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": version("torchvision"),
        "timm": version("timm"),
        "entries": dict(providers),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": threads,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "processor": platform.processor() or platform.machine(),
        "platform": platform.platform(),
        "argv": sys.argv,
        "git_commit": _git_commit(),
    }


def _git_commit() -> str | None:
    """Return the commit of the repository around the working directory, or None."""
    if shutil.which("git") is None:
        return None
    found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S607
    return found.stdout.strip() or None
