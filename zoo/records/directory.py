"""A run's directory: what it holds, and how it is told from any other folder."""

from __future__ import annotations

import csv
import dataclasses
import io
import os
import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tomli_w

from zoo.config import Config, Layer
from zoo.errors import DamagedError, UsageError
from zoo.records.checkpoints import Checkpoint, CheckpointStore
from zoo.records.disk import DISK, parse_json, read_bytes, write_atomic
from zoo.records.epochs import EpochResult, result_of, results_from
from zoo.records.images import DATA, FILES

CONFIG = "config.toml"
ENVIRONMENT = "environment.json"
METRICS = "metrics.csv"
SUMMARY = "summary.json"
CHECKPOINTS = "checkpoints"
EVALUATIONS = "evaluations"
CALIBRATION = "calibration.json"
REPORTS = ("report.html", "report.json")
OBSERVERS = "observers"
"""What observers note there they find again where the run goes on, and not where another one begins."""

WHICH = ("best", "last")
"""The checkpoints that one may ask for."""

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
        """Whether a new run may be made here: nothing is there but what a lock, or a run's first moments, leave."""
        try:
            left = {item.name for item in self.path.iterdir() if not item.name.startswith(".")}
            # A run is one when its configuration is written; what is before it may be a stranger's by its name alone.
            return not left or (left <= {ENVIRONMENT, DATA, FILES} and "zoo" in self.read_environment())
        except FileNotFoundError:
            return True
        except (NotADirectoryError, DamagedError):
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
            evaluated = (EVALUATIONS, CALIBRATION, *REPORTS)
            for name in (SUMMARY, CHECKPOINTS, *evaluated, OBSERVERS, METRICS, FILES, DATA, ENVIRONMENT, CONFIG):
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

    def checkpoint(self, which: str) -> Checkpoint:
        """Return the best or the last checkpoint, verified.

        Raises:
            UsageError: If the run has none yet, or *which* is neither.
            DamagedError: If it is damaged, or the newest one is, and the best epoch is not among those before.
        """
        if which not in WHICH:
            raise UsageError(f"there is no checkpoint {which!r}; choose from {', '.join(WHICH)}")
        last = self.checkpoints.newest()
        if last is None:
            raise UsageError(f"{self} has no checkpoint yet; 'zoo train --resume {self}' goes on with it")
        results = results_from(last.state)
        best_epoch = last.state["progress"].get("best_epoch")
        best_result = result_of(results, best_epoch) if isinstance(best_epoch, int) else None
        if best_result is None and (results or best_epoch != 0):
            raise DamagedError(f"{last.path} misstates the best epoch: {best_epoch!r} of {len(results)}")
        if which == "last" or best_result is None:
            return last
        if self.checkpoints.damages and (self.read_summary().get("best_epoch") or 0) > results[-1].epoch:
            # An older checkpoint knows of an older best epoch, whose numbers would pass for the run's.
            raise DamagedError(
                f"{self.checkpoints.damages[0]}. No earlier one holds the best epoch; "
                f"--checkpoint last takes step {last.step}"
            )
        step = best_result.step
        best = last if step == last.step else self.checkpoints.at(step)
        if best is None:
            raise DamagedError(f"{self} has lost its best checkpoint, step {step}; --checkpoint last takes {last.step}")
        return best

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


def ended_summary(directory: Path) -> Mapping[str, Any]:
    """Return what a finished or pruned run's summary.json holds; empty where there is no such run, or it goes on."""
    run = RunDirectory(directory)
    try:
        summary = run.read_summary() if run.holds_run else {}
    except DamagedError:  # the run's own process tells of it, and writes it anew
        return {}
    return summary if summary.get("status") in ("finished", "pruned") else {}
