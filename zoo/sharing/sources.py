"""Where a trained model comes from: a run or one of its checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from zoo.config import Config, Layer
from zoo.data import Expects, ImageFacts
from zoo.errors import DamagedError, UsageError
from zoo.records.checkpoints import Checkpoint, open_checkpoint
from zoo.records.directory import CHECKPOINTS, RunDirectory
from zoo.records.manifest import MANIFEST, STATE
from zoo.reports.calibration import read_temperature
from zoo.runs.facts import expects_from_json, facts_from_json
from zoo.runs.loading import weights_part


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
    """

    where: str
    config: Config
    images: ImageFacts
    expects: Expects | None
    weights: Mapping[str, Tensor]
    temperature: float | None
    step: int


def open_source(source: str | Path | Any, checkpoint: str = "best") -> Source:
    """Read a trained model from wherever it is, every byte of it verified.

    Args:
        source: A run's directory, or what `zoo.train` returned, or a checkpoint's directory.
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
    if not path.exists():
        raise UsageError(f"there is no trained model {str(path)!r}; 'zoo runs' lists the runs in the folder runs")
    raise UsageError(f"{str(path)!r} is no trained model: neither a run nor a checkpoint")


def _of_run(directory: RunDirectory, which: str) -> Source:
    checkpoint = directory.checkpoint(which)
    return _of_state(str(directory), directory.read_config(), checkpoint, directory.path)


def _of_checkpoint(path: Path) -> Source:
    checkpoint = open_checkpoint(path)
    where = str(path / STATE)
    try:
        config = Config.from_layers([Layer(where, checkpoint.state["config"])])
    except (KeyError, TypeError, UsageError) as error:
        raise DamagedError(f"{where} lacks or misstates the configuration: {error}") from error
    path = path.absolute()
    return _of_state(str(path), config, checkpoint, path.parents[1] if path.parent.name == CHECKPOINTS else None)


def _of_state(where: str, config: Config, checkpoint: Checkpoint, run: Path | None) -> Source:
    return Source(
        where,
        config,
        facts_from_json(checkpoint.state.get("images")),
        expects_from_json(checkpoint.state.get("expects")),
        checkpoint.tensors(weights_part(checkpoint)),
        None if run is None else read_temperature(run, checkpoint.manifest.digest),
        checkpoint.step,
    )
