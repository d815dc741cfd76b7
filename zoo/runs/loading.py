"""A run that was trained before, with its model and the weights of one of its checkpoints."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from zoo.config import Config, TrainSettings
from zoo.data import Expects, ImageFacts
from zoo.data.identity import Identification
from zoo.records.checkpoints import Checkpoint
from zoo.records.directory import RunDirectory
from zoo.records.epochs import EpochResult, results_from
from zoo.reports.calibration import read_temperature
from zoo.runs.components import Component, find_components
from zoo.runs.facts import expects_from_json, facts_from_json
from zoo.runs.images import Notice, changed_images
from zoo.runs.machine import Machine, usable_here
from zoo.runs.network import Network, build_network
from zoo.runs.state import load_weights


@dataclass(frozen=True)
class LoadedRun:
    """A run's model, ready to be used.

    Attributes:
        directory: Where the run is.
        config: All that defines it.
        images: The facts of the images that the model was trained on.
        machine: What it computes with: the recorded precision and threads, and the recorded device where it is here.
        network: The model, with the checkpoint's weights, and what surrounds it.
        results: The epochs up to the checkpoint.
        checkpoint: Where the weights are from.
    """

    directory: RunDirectory
    config: Config
    images: ImageFacts
    machine: Machine
    network: Network
    results: Sequence[EpochResult]
    checkpoint: Checkpoint

    @property
    def where(self) -> str:
        """How messages name it."""
        return str(self.directory)

    @property
    def epoch(self) -> int:
        """Epochs before the checkpoint."""
        return self.results[-1].epoch if self.results else 0

    @property
    def step(self) -> int:
        """Optimizer steps before it."""
        return self.checkpoint.step

    @property
    def digest(self) -> str:
        """What its weights are known by."""
        return self.checkpoint.manifest.digest

    @property
    def temperature(self) -> float | None:
        """What its logits are divided by; None for nothing."""
        return read_temperature(self.directory.path, self.digest)

    @property
    def keeper(self) -> RunDirectory | None:
        """Where what is measured of it is kept."""
        return self.directory

    def as_validated(self) -> LoadedRun:
        """Return it with the weights that were validated, whose head had not seen the validation images."""
        load_validated(self.network.model, self.checkpoint)
        return self

    def changed(self, images: Identification, notice: Notice, splits: tuple[str, ...] = ()) -> list[str]:
        """Return how *images* differ from those that it was trained on; see `zoo.runs.images.changed_images`."""
        return changed_images(self.directory, self.images, images, notice, splits)


def load_run(
    run: RunDirectory | str | Path, which: str = "best", *, objects: Mapping[str, Any] | None = None
) -> LoadedRun:
    """Build a run's model and load a checkpoint into it: the averaged weights where the run kept such.

    Args:
        run: The run's directory.
        which: ``"best"`` for the epoch that validated best, ``"last"`` for the newest.
        objects: Objects by section that stood in place of names.

    Raises:
        UsageError: If there is no run or no checkpoint, or the weights are another model's.
        DamagedError: If the checkpoint is damaged.
        PluginError: If the model's plugin is broken.
    """
    directory = run if isinstance(run, RunDirectory) else RunDirectory.open(run)
    config = directory.read_config()
    component = find_components(config, objects, only=("model",))["model"]
    checkpoint = directory.checkpoint(which)
    for damage in directory.checkpoints.damages:
        logging.getLogger("zoo").warning("%s; the checkpoint before it is used", damage)
    images = facts_from_json(checkpoint.state.get("images"))
    recorded = expects_from_json(checkpoint.state.get("expects"))
    weights = checkpoint.tensors(checkpoint.weights_part)
    machine, network = network_with(weights, component, images, config.train, recorded)
    return LoadedRun(directory, config, images, machine, network, results_from(checkpoint.state), checkpoint)


def load_validated(model: nn.Module, checkpoint: Checkpoint) -> None:
    """Load the weights that were validated into *model*, where they are not those that count and that it has."""
    if (part := checkpoint.validated_part) != checkpoint.weights_part:
        load_weights(model, checkpoint.tensors(part))


def network_with(
    weights: Mapping[str, Tensor],
    component: Component,
    images: ImageFacts,
    settings: TrainSettings,
    recorded: Expects | None,
) -> tuple[Machine, Network]:
    """Build a trained model, with what it computes with here.

    Args:
        weights: By name, loaded into the model.
        component: What builds it; no pretrained weights are fetched.
        images: What it was trained on.
        settings: How it was trained.
        recorded: What the weights expect that it began with.

    Raises:
        UsageError: If the weights are another model's.
        PluginError: If the model's plugin is broken.
    """
    settings = dataclasses.replace(usable_here(settings), compile=False)
    machine = Machine.prepare(settings)
    network = build_network(component.without_pretrained(), images, machine, settings, recorded=recorded)
    load_weights(network.model, weights)
    return machine, network
