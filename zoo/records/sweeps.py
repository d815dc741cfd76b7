"""The record of a sweep: what its runs have in common, and what each was given."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.config import Config, Layer
from zoo.errors import DamagedError
from zoo.records.disk import parse_json, read_bytes, write_atomic

SWEEP = "sweep.json"
SCHEMA = 1

_MAX_JSON = 2**26  # bytes; a run costs some hundred
_SCORES = {"accuracy": ("val_accuracy", 1), "balanced": ("val_balanced_accuracy", 1), "loss": ("val_loss", -1)}


@dataclass(frozen=True)
class SweepRecord:
    """What is written of a sweep.

    Attributes:
        question: What makes it this sweep and no other: its kind, and what that needs; plain data.
        config: What all its runs have in common, as it was asked for.
        names: The runs' directories, in the order in which they began.
        runs: The settings that each was given, by key.
    """

    question: Mapping[str, Any]
    config: Config
    names: Sequence[str]
    runs: Sequence[Mapping[str, Any]]

    @property
    def kind(self) -> str:
        """``"seeds"``, ``"folds"`` or ``"search"``."""
        return str(self.question.get("kind"))


def holds_sweep(path: Path) -> bool:
    """Whether this is a sweep's folder."""
    return (path / SWEEP).is_file()


def read_sweep(path: Path) -> SweepRecord:
    """Return what is written of the sweep in a folder.

    Raises:
        DamagedError: If its record is damaged.
    """
    where = str(path / SWEEP)
    found = parse_json(read_bytes(path / SWEEP, _MAX_JSON), where)
    try:
        config = Config.from_layers([Layer(where, found["config"])])
        runs = [dict(settings) for settings in found["runs"]]
        names = [str(name) for name in found["names"]]
        if len(names) != len(runs):
            raise ValueError(f"{len(names)} names of {len(runs)} runs")
        return SweepRecord(dict(found["question"]), config, names, runs)
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"{where} is damaged: {type(error).__name__}: {error}") from error


def write_sweep(path: Path, record: SweepRecord) -> None:
    """Write the record of a sweep."""
    document = {
        "schema": SCHEMA,
        "question": record.question,
        "config": record.config.to_dict(),
        "names": record.names,
        "runs": record.runs,
    }
    write_atomic(path / SWEEP, json.dumps(document, indent=2, allow_nan=False) + "\n")


def score_of(measures: Mapping[str, Any], select: str) -> float | None:
    """Return how good a run is on the validation images: higher is better; None where there are none.

    Args:
        measures: Of a summary, or of an epoch.
        select: What epochs are selected by: ``"accuracy"``, ``"balanced"`` or ``"loss"``.
    """
    key, sign = _SCORES[select]
    value = measures.get(key)
    return None if value is None else sign * float(value)
