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
from zoo.data.identity import DataIdentity, Identification
from zoo.errors import DamagedError, UsageError
from zoo.records.checkpoints import WHOLE, Checkpoint, open_checkpoint
from zoo.records.directory import CHECKPOINTS, ENVIRONMENT, RunDirectory
from zoo.records.disk import parse_json, read_bytes
from zoo.records.epochs import results_from
from zoo.records.images import read_data
from zoo.records.manifest import MANIFEST, STATE
from zoo.records.published import WEIGHTS, is_published, verify_folder
from zoo.records.weight_file import is_weight_file, read_weight_file
from zoo.records.weights import SAFE
from zoo.reports.calibration import read_temperature
from zoo.runs.components import find_components
from zoo.runs.elsewhere import Fetched, fetched, is_named, refuse_missing
from zoo.runs.facts import expects_from_json, facts_from_json
from zoo.runs.images import Notice, changed_images, changes_since, identity_from_json
from zoo.runs.loading import LoadedRun, load_run, load_validated, network_with
from zoo.runs.machine import Machine
from zoo.runs.network import Network, build_network
from zoo.runs.pretrained import registered
from zoo.runs.record import checked_record

UNRECORDED = "unrecorded"
"""The name of the data of which nothing is known."""

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
        epoch: Epochs before it.
        step: Optimizer steps before it.
        digest: The SHA-256 by which its weights are known.
        data: What its data are known by, as data.json holds it; empty where that was not kept.
        environment: What it was computed with, as far as that is known; keys as in environment.json.
        run: The run's directory; None where there is none.
        as_trained: Whether the weights are those that its recipe gives: its best epoch's, and not those of one
            checkpoint, nor changed since.
        checkpoint: What the weights were read from; None where that was no checkpoint.
        whole: Whether the head has learnt the validation images as well, or may have.
    """

    where: str
    config: Config
    images: ImageFacts
    expects: Expects | None
    weights: Mapping[str, Tensor]
    temperature: float | None
    epoch: int
    step: int
    digest: str
    data: Mapping[str, Any]
    environment: Mapping[str, Any]
    run: RunDirectory | None = None
    as_trained: bool = True
    checkpoint: Checkpoint | None = None
    whole: bool = False

    def changed(self, images: Identification, notice: Notice, splits: tuple[str, ...] = ()) -> list[str]:
        """Return how *images* differ from those that it was trained on, a text each; nothing where they do not.

        Args:
            images: Those that are there now.
            notice: Told where something could not be compared.
            splits: Those that matter; all where none are named.
        """
        if self.run is not None:
            return changed_images(self.run, self.images, images, notice, splits)
        if not self.data:
            notice(f"{self.where} has no record of its data: only the classes, size and statistics were compared")
            return changes_since(DataIdentity(self.images, {}), images, dict, splits)
        return changes_since(identity_from_json(self.data, self.where), images, dict, splits)


@dataclass(frozen=True)
class LoadedSource:
    """The model of a source that is no run, ready to be used, with what `zoo.runs.loading.LoadedRun` has as well.

    Attributes:
        source: Where it is from.
        machine: What it computes with.
        network: The model, with its weights, and what surrounds it.
    """

    source: Source
    machine: Machine
    network: Network

    @property
    def where(self) -> str:
        """How messages name it."""
        return self.source.where

    @property
    def config(self) -> Config:
        """All that defines the run that made it."""
        return self.source.config

    @property
    def images(self) -> ImageFacts:
        """What it was trained on."""
        return self.source.images

    @property
    def epoch(self) -> int:
        """Epochs before its weights."""
        return self.source.epoch

    @property
    def step(self) -> int:
        """Optimizer steps before them."""
        return self.source.step

    @property
    def digest(self) -> str:
        """What its weights are known by."""
        return self.source.digest

    @property
    def temperature(self) -> float | None:
        """What its logits are divided by; None for nothing."""
        return self.source.temperature

    @property
    def keeper(self) -> None:
        """Nothing that is measured of it is kept."""

    def as_validated(self) -> LoadedSource:
        """Return it with the weights that were validated, whose head had not seen the validation images.

        Raises:
            UsageError: If its head has, or may have, and no other one is kept.
        """
        if self.source.checkpoint is not None:
            load_validated(self.network.model, self.source.checkpoint)
        elif self.source.whole:
            raise UsageError(
                f"the head of {self.where} has learnt its validation images, and no other is kept with it; "
                "'zoo evaluate RUN --split validation' measures the run that it was published from, or use --split test"
            )
        return self

    def changed(self, images: Identification, notice: Notice, splits: tuple[str, ...] = ()) -> list[str]:
        """Return how *images* differ from those that it was trained on."""
        return self.source.changed(images, notice, splits)


Trained = LoadedRun | LoadedSource
"""A trained model that can be asked and measured."""


def load_trained(source: str | Path | Any, checkpoint: str = "best") -> Trained:
    """Read a trained model from wherever it is and build it; the arguments are those of `open_source`.

    Raises:
        UsageError: If there is no such thing, or its plugin is not installed.
        DamagedError: If it is damaged.
        PluginError: If its plugin is broken.
    """
    path = path_of(source)
    if RunDirectory(path).holds_run:
        return load_run(path, checkpoint)
    found = open_source(path, checkpoint)
    component = find_components(found.config, only=("model",))["model"]
    if found.config.data.name == UNRECORDED:  # others' weights, whose names and head the model must be fitted to
        machine = Machine.prepare(found.config.train)
        return LoadedSource(found, machine, build_network(component, found.images, machine, found.config.train))
    return LoadedSource(found, *network_with(found.weights, component, found.images, found.config.train, found.expects))


def path_of(source: str | Path | Any) -> Path:
    """Return where a trained model is, or what `zoo.train` returned was kept.

    Raises:
        UsageError: If it is neither.
    """
    given = getattr(source, "directory", source)
    if not isinstance(given, str | Path):
        raise UsageError(f"a trained model is loaded from a path, or from what zoo.train returned, not {source!r:.60}")
    return Path(given).expanduser()


def open_source(source: str | Path | Any, checkpoint: str = "best") -> Source:
    """Read a trained model from wherever it is, every byte of it verified.

    Args:
        source: A run's directory, or what `zoo.train` returned, or a checkpoint's directory, or a published folder, or
            the one file ``model.safetensors`` of such a folder, or a name: ``weights:NAME``, ``hf:user/name@commit``.
        checkpoint: Which one of a run: ``"best"`` or ``"last"``.

    Raises:
        UsageError: If there is no such thing.
        DamagedError: If it is damaged.
    """
    path = path_of(source)
    if RunDirectory(path).holds_run:
        return _of_run(RunDirectory(path), checkpoint)
    if checkpoint != "best":
        raise UsageError(f"{str(path)!r} holds one set of weights: --checkpoint is for a run")
    if is_named(path):
        return _of_name(str(path))
    if (path / MANIFEST).is_file() and (path / STATE).is_file():
        return _of_checkpoint(path)
    if is_published(path):
        return _of_folder(path)
    if path.is_file():
        return _of_file(path)
    refuse_missing(path)
    raise UsageError(f"{str(path)!r} is no trained model: neither a run nor a checkpoint nor a published folder")


def _of_name(name: str) -> Source:
    place = fetched(name)
    if place.path.is_dir():
        return dataclasses.replace(_of_folder(place.path), where=place.name)
    if not is_weight_file(place.path):
        return _of_others(place)
    return dataclasses.replace(_of_file(place.path), where=place.name)


def _of_others(place: Fetched) -> Source:
    """Return weights that zoo did not train, as their plugin states them: enough to build their model, no recipe."""
    found = registered(place)
    expects = found.expects
    if expects.size is None:
        raise UsageError(f"{place.name} only begin a training, as nobody states their size: --set model.pretrained=...")
    images = ImageFacts(tuple(expects.classes), tuple(expects.mean), tuple(expects.std), expects.channels, expects.size)
    document = {
        "model": {"name": found.model, "pretrained": place.name},
        "data": {"name": UNRECORDED},
        "train": {"precision": "fp32"},
    }
    config = Config.from_layers([Layer(place.name, document)])
    known = place.name, config, images, expects, found.tensors
    return Source(*known, None, epoch=0, step=0, digest=expects.sha256, data={}, environment={}, as_trained=False)


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
    return dataclasses.replace(_of_state(str(path), config, checkpoint, run), as_trained=False)


def _of_state(where: str, config: Config, checkpoint: Checkpoint, run: RunDirectory | None) -> Source:
    return Source(
        where,
        config,
        facts_from_json(checkpoint.state.get("images")),
        expects_from_json(checkpoint.state.get("expects")),
        checkpoint.tensors(checkpoint.weights_part),
        None if run is None else read_temperature(run.path, checkpoint.manifest.digest),
        results[-1].epoch if (results := results_from(checkpoint.state)) else 0,
        checkpoint.step,
        checkpoint.manifest.digest,
        {} if run is None else read_data(run.path),
        {"entries": checkpoint.state.get("entries", {}), **({} if run is None else run.read_environment())},
        run,
        checkpoint=checkpoint,
        whole=checkpoint.weights_part == WHOLE,
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
        record["epoch"],
        record["step"],
        file.sha256,
        record["data"],
        {"torch": record.get("torch"), "entries": record["entries"]},
        as_trained=not record["folded"],
        whole=_whole(record, config),
    )


def _whole(record: Mapping[str, Any], config: Config) -> bool:
    told = record.get("whole")
    if isinstance(told, bool):
        return told
    return config.train.refit == "on" and config.train.fold is None and record["epoch"] == 0  # an older zoo's: it may


def _temperature(record: Mapping[str, Any], path: Path) -> float | None:
    temperature = record.get("temperature")
    if temperature is not None and not (isinstance(temperature, float) and 0 < temperature < math.inf):
        raise DamagedError(f"{path} misstates the temperature of its model: {temperature!r:.40}")
    return temperature
