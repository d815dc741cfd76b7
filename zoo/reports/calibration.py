"""The temperature of a run, in its calibration.json."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.errors import DamagedError
from zoo.records.directory import CALIBRATION
from zoo.records.disk import parse_json, read_bytes, write_atomic

SCHEMA = 1
_MAX_BYTES = 2**16


def write_calibration(run: Path, found: Mapping[str, Any]) -> None:
    """Write what was fitted; the caller holds the run's lock.

    Raises:
        OSError: If the disk is full, or refuses otherwise.
    """
    write_atomic(run / CALIBRATION, json.dumps({"schema": SCHEMA, **found}, indent=2, allow_nan=False) + "\n")


def read_temperature(run: Path, checkpoint_digest: str) -> float | None:
    """Return the temperature that was fitted for a checkpoint; None where there is none, or for another one alone.

    Raises:
        DamagedError: If the file is damaged.
    """
    path = run / CALIBRATION
    if not path.exists():
        return None
    found = parse_json(read_bytes(path, _MAX_BYTES), str(path))
    temperature = found.get("temperature") if isinstance(found, dict) else None
    if not isinstance(temperature, float) or not 0 < temperature < math.inf:
        raise DamagedError(f"{path} is damaged: it holds no temperature; 'zoo calibrate {run}' makes it again")
    return temperature if found.get("checkpoint_digest") == checkpoint_digest else None
