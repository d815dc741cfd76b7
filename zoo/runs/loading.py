"""A run that was trained before, with its model and the weights of one of its checkpoints."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.config import Config
from zoo.data import ImageFacts
from zoo.errors import DamagedError, UsageError
from zoo.runs.assembly import Machine, Network, build_network, usable_here
from zoo.runs.checkpoints import Checkpoint
from zoo.runs.components import find_components
from zoo.runs.directory import RunDirectory
from zoo.runs.state import facts_from_json, load_weights, results_from
from zoo.training.fit import EpochResult

WHICH = ("best", "last")


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


def load_run(
    run: RunDirectory | str | Path, which: str = "best", *, objects: Mapping[str, Any] | None = None
) -> LoadedRun:
    """Build a run's model and load a checkpoint into it: the averaged weights where the run kept such.

    Args:
        run: The run's directory.
        which: ``"best"`` for the epoch with the best validation accuracy, ``"last"`` for the newest.
        objects: Objects by section that stood in place of names.

    Raises:
        UsageError: If there is no run or no checkpoint, or the weights are another model's.
        DamagedError: If the checkpoint is damaged.
        PluginError: If the model's plugin is broken.
    """
    directory = run if isinstance(run, RunDirectory) else RunDirectory.open(run)
    config = directory.read_config()
    component = find_components(config, objects, only=("model",))["model"].without_pretrained()
    checkpoint = find_checkpoint(directory, which)
    for damage in directory.checkpoints.damages:
        logging.getLogger("zoo").warning("%s; the checkpoint before it is used", damage)
    images = facts_from_json(checkpoint.state.get("images"))
    settings = dataclasses.replace(usable_here(config.train), compile=False)
    machine = Machine.prepare(settings)
    network = build_network(component, images, machine, settings)
    load_weights(network.model, checkpoint.tensors("average" if "average" in checkpoint.names else "model"))
    return LoadedRun(directory, config, images, machine, network, results_from(checkpoint.state), checkpoint)


def find_checkpoint(directory: RunDirectory, which: str) -> Checkpoint:
    """Return the best or the last checkpoint, verified.

    Raises:
        UsageError: If the run has none yet, or *which* is neither.
        DamagedError: If it is damaged, or the newest one is, and the best epoch is not among those before.
    """
    if which not in WHICH:
        raise UsageError(f"there is no checkpoint {which!r}; choose from {', '.join(WHICH)}")
    last = directory.checkpoints.newest()
    if last is None:
        raise UsageError(f"{directory} has no checkpoint yet; 'zoo train --resume {directory}' goes on with it")
    results = results_from(last.state)
    best_epoch = last.state["progress"].get("best_epoch")
    if not isinstance(best_epoch, int) or not 0 <= best_epoch <= len(results):
        raise DamagedError(f"{last.path} misstates the best epoch: {best_epoch!r} of {len(results)}")
    if which == "last" or not best_epoch:
        return last
    if directory.checkpoints.damages and (directory.read_summary().get("best_epoch") or 0) > len(results):
        # An older checkpoint knows of an older best epoch, whose numbers would pass for the run's.
        raise DamagedError(
            f"{directory.checkpoints.damages[0]}. No earlier one holds the best epoch; "
            f"--checkpoint last takes step {last.step}"
        )
    step = results[best_epoch - 1].step
    best = last if step == last.step else directory.checkpoints.at(step)
    if best is None:
        raise DamagedError(
            f"{directory} has lost its best checkpoint, step {step}; --checkpoint last takes {last.step}"
        )
    return best
