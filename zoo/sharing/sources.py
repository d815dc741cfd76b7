"""Where a trained model comes from: a run, one of its checkpoints, or what was published of one."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from zoo.config import Config, Layer
from zoo.data import Expects, ImageFacts
from zoo.errors import DamagedError, UsageError
from zoo.records.checkpoints import Checkpoint, open_checkpoint
from zoo.records.directory import CHECKPOINTS, ENVIRONMENT, RunDirectory
from zoo.records.disk import parse_json, read_bytes
from zoo.records.images import read_data
from zoo.records.manifest import MANIFEST, STATE
from zoo.records.weights import SAFE
from zoo.reports.calibration import read_temperature
from zoo.runs.facts import expects_from_json, facts_from_json
from zoo.runs.loading import weights_part
from zoo.sharing.folder import WEIGHTS, is_published, verify_folder
from zoo.sharing.record import checked_record
from zoo.sharing.weight_file import read_weight_file

_MAX_ENVIRONMENT = 2**20  # bytes


@dataclass(frozen=True)
class Source:
    """A trained model as it was found.

    Attributes:
        where: Its path, as messages name it.
        config: All that defines the run that made it.
        images: What it was trained on.
        expects: What the pretrained weights expect that it began with; None where it began with none.
        weights: By name, on the CPU.
        temperature: What its logits are divided by; None for nothing.
        step: Optimizer steps before it.
        data: What its data are known by, as data.json holds it; empty where that was not kept.
        environment: What it was computed with, as far as that is known; keys as in environment.json.
        run: The run's directory; None where there is none.
        best: Whether the weights were chosen as its best epoch's, rather than as those of one checkpoint.
    """

    where: str
    config: Config
    images: ImageFacts
    expects: Expects | None
    weights: Mapping[str, Tensor]
    temperature: float | None
    step: int
    data: Mapping[str, Any]
    environment: Mapping[str, Any]
    run: RunDirectory | None = None
    best: bool = True


def open_source(source: str | Path | Any, checkpoint: str = "best") -> Source:
    """Read a trained model from wherever it is, every byte of it verified.

    Args:
        source: A run's directory, or what `zoo.train` returned, or a checkpoint's directory, or a published folder, or
            the one file ``model.safetensors`` of such a folder.
        checkpoint: Which one of a run: ``"best"`` or ``"last"``.

    Raises:
        UsageError: If there is no such thing.
        DamagedError: If it is damaged.
    """
    given = getattr(source, "directory", source)
    if not isinstance(given, str | Path):
        raise UsageError(f"a trained model is loaded from a path, or from what zoo.train returned, not {source!r:.60}")
    path = Path(given).expanduser()
    if RunDirectory(path).holds_run:
        return _of_run(RunDirectory(path), checkpoint)
    if (path / MANIFEST).is_file() and (path / STATE).is_file():
        return _of_checkpoint(path)
    if is_published(path):
        return _of_folder(path)
    if path.is_file():
        return _of_file(path)
    if not path.exists():
        raise UsageError(f"there is no trained model {str(path)!r}; 'zoo runs' lists the runs in the folder runs")
    raise UsageError(f"{str(path)!r} is no trained model: neither a run nor a checkpoint nor a published folder")


def _of_run(directory: RunDirectory, which: str) -> Source:
    checkpoint = directory.checkpoint(which)
    return _of_state(str(directory), directory.read_config(), checkpoint, directory)


def _of_checkpoint(path: Path) -> Source:
    checkpoint = open_checkpoint(path)
    where = str(path / STATE)
    try:
        config = Config.from_layers([Layer(where, checkpoint.state["config"])])
    except (KeyError, TypeError, UsageError) as error:
        raise DamagedError(f"{where} lacks or misstates the configuration: {error}") from error
    above = path.absolute().parent
    run = RunDirectory(above.parent) if above.name == CHECKPOINTS else None
    return dataclasses.replace(_of_state(str(path), config, checkpoint, run), best=False)


def _of_state(where: str, config: Config, checkpoint: Checkpoint, run: RunDirectory | None) -> Source:
    return Source(
        where,
        config,
        facts_from_json(checkpoint.state.get("images")),
        expects_from_json(checkpoint.state.get("expects")),
        checkpoint.tensors(weights_part(checkpoint)),
        None if run is None else read_temperature(run.path, checkpoint.manifest.digest),
        checkpoint.step,
        {} if run is None else read_data(run.path),
        {"entries": checkpoint.state.get("entries", {}), **({} if run is None else run.read_environment())},
        run,
    )


def _of_folder(folder: Path) -> Source:
    verify_folder(folder)
    found = _of_file(folder / WEIGHTS)
    path = folder / ENVIRONMENT
    environment = parse_json(read_bytes(path, _MAX_ENVIRONMENT), str(path)) if path.exists() else {}
    if not isinstance(environment, dict):
        raise DamagedError(f"{path} holds no JSON object")
    return dataclasses.replace(found, where=str(folder), environment={**found.environment, **environment})


def _of_file(path: Path) -> Source:
    if path.suffix != SAFE:
        raise UsageError(f"{str(path)!r} is no trained model: of files, zoo loads those that it published, {WEIGHTS}")
    file = read_weight_file(path)
    record = checked_record(file.record, str(path))
    try:
        config = Config.from_layers([Layer(str(path), record["config"])])
    except UsageError as error:
        raise DamagedError(f"{path} misstates the configuration of its model: {error}") from error
    return Source(
        str(path),
        config,
        facts_from_json(record["images"], str(path)),
        expects_from_json(record.get("expects")),
        file.tensors,
        _temperature(record, path),
        record["step"],
        record["data"],
        {"torch": record.get("torch"), "entries": record["entries"]},
    )


def _temperature(record: Mapping[str, Any], path: Path) -> float | None:
    temperature = record.get("temperature")
    if temperature is not None and not (isinstance(temperature, float) and 0 < temperature < math.inf):
        raise DamagedError(f"{path} misstates the temperature of its model: {temperature!r:.40}")
    return temperature
