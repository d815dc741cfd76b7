"""The head of a run that ends with its probe, fitted once more: to the validation images as well.

Until then those are held out, and what is told of them is what the head said that had not seen them. So a checkpoint
keeps both: as ``model`` or ``average`` what was validated, as ``whole`` what is used.
"""

from __future__ import annotations

import dataclasses
from contextlib import closing

import torch
from torch import nn

from zoo.errors import ZooError
from zoo.records.checkpoints import WHOLE
from zoo.records.directory import RunDirectory
from zoo.records.epochs import EpochResult
from zoo.runs.parts import Parts
from zoo.runs.tuning import PROBED_IMAGES, batches_for_probe
from zoo.training.fit import Listener, Progress, announced
from zoo.training.layer_groups import head_of


def fitted_to_all(parts: Parts, model: nn.Module, progress: Progress, listener: Listener) -> int | None:
    """Fit the head of *model* to the training and the validation images together, where the probe is the best epoch.

    It is not where the validation images are the dataset's own, or a fold, whose predictions are pooled with others',
    nor where they would be too many for a probe.

    Returns:
        To how many images; None where that was not done.
    """
    splits, probe, settings = parts.splits, parts.task.probe, parts.config.train
    if probe is None or parts.task.refit is None or progress.best_epoch != 0:
        return None
    if splits.validation is None or not splits.chosen or settings.fold is not None:
        return None
    if (images := len(probe.batches.split) + len(splits.validation)) > PROBED_IMAGES:
        return None
    _, head = head_of(model)
    if not isinstance(head, nn.Linear):
        return None
    world, network = parts.task.world, parts.network
    others = batches_for_probe(splits.validation, settings, network, world)
    mirrored = 2 * images <= PROBED_IMAGES
    probe = dataclasses.replace(probe, forward=network.around(model), head=head, copies=(), mirrored=mirrored)
    seen = []
    for part in (probe.batches, others):
        with closing(announced(part, listener)) as batches:
            seen.append(probe.look(batches, world))
    features, labels = (torch.cat(both) for both in zip(*seen, strict=True))
    probe.solve(features, labels, world)
    return images


def add_whole(directory: RunDirectory, result: EpochResult, model: nn.Module) -> None:
    """Save the weights of *model* beside those that were validated, in the checkpoint of *result*.

    Raises:
        OSError: If the disk refuses.
        ZooError: If the checkpoint is gone.
    """
    store, step = directory.checkpoints, result.step
    checkpoint = store.at(step)
    if checkpoint is None:
        raise ZooError(f"the checkpoint of step {step} is gone")
    parts = {name: checkpoint.tensors(name) for name in checkpoint.names}
    store.save(step, tensors={**parts, WHOLE: model.state_dict()}, state=checkpoint.state)
    store.prune(store.steps())  # of this step the newest stays
