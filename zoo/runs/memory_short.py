"""What becomes of a run that had too little memory: what fits is tried out, and told, or taken where that was asked."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import torch

from zoo.data import Preparation
from zoo.errors import ZooError
from zoo.records.directory import RunDirectory
from zoo.runs.environment import environment_of
from zoo.runs.parts import Parts
from zoo.runs.reporting import Reporter, readable
from zoo.training.fitting_batch import evaluation_work, largest_fitting, training_work

_SMALLEST = 2  # images in a slice: batch norm cannot train on one


class BatchesCutError(ZooError):
    """Batches were too large for the memory, and their run has recorded into how many slices they are cut.

    Args:
        slices: Into how many each is cut.
        directory: The run's, which is to go on from its newest checkpoint.
    """

    def __init__(self, slices: int, directory: Path) -> None:
        self.slices, self.directory = slices, directory
        super().__init__(f"out of memory; each batch is computed in {slices} slices from here on")


def memory_short(parts: Parts, *, begun: bool) -> ZooError:
    """Return the error of a run that had too little memory; its model is used up.

    Args:
        parts: The run's.
        begun: Whether a step was taken, so that the optimizer's own tensors are there.
    """
    settings = parts.config.train
    most = min(settings.images_in_batch, len(parts.splits.train))
    fits = _trained_on(parts, most, begun=begun)
    if fits == most:
        return _told("--eval-batch-size", settings.eval_batch_size, _evaluated_on(parts), "")
    batches = math.ceil(most * settings.batches_in_step / fits) if fits else 0
    return _told("--batch-size", most, fits, f" --accumulate {batches}, which gives steps the same images")


def slices_that_fit(parts: Parts, *, begun: bool) -> int:
    """Return into how many slices batches must be cut, more than they are now; the model is used up.

    Raises:
        ZooError: If that does not help: evaluations take too much, or a few images do.
    """
    settings = parts.config.train
    now, most = settings.slices or 1, max(map(max, parts.task.training.sizes(0)))
    fits = _trained_on(parts, most, begun=begun)
    if fits == most:
        judged = _evaluated_on(parts)
        if judged < settings.eval_batch_size:
            raise _told("--eval-batch-size", settings.eval_batch_size, judged, "")
        fits = most // 2  # with what was freed since, or blank images take less
    if fits < _SMALLEST:
        raise ZooError("out of memory, with two images; try smaller images or another model")
    return now * math.ceil(most / fits)


def cut(directory: RunDirectory, parts: Parts, slices: int, step: int, reporter: Reporter) -> BatchesCutError:
    """Record that batches are cut into *slices* from *step* on, and return the error that ends this attempt.

    A record of what the run began to compute with that is damaged is made again, as it is here and now.
    """
    recorded, environs = directory.read_config(), readable(directory.read_environment, reporter)
    cuts = [*environs.get("cuts", []), {"from_step": step, "slices": slices}]
    directory.write_environment({**(environs or environment_of(parts)), "cuts": cuts})
    train = dataclasses.replace(recorded.train, slices=slices)
    directory.write_config(dataclasses.replace(recorded, train=train))
    return BatchesCutError(slices, directory.path)


def _trained_on(parts: Parts, most: int, *, begun: bool) -> int:
    """Return how many images, *most* at most, a training step has memory for."""
    image = _blank(parts, parts.network.prepare)
    return largest_fitting(training_work(parts.task.forward, parts.task.criterion, image, begun=begun), most)


def _evaluated_on(parts: Parts) -> int:
    """Return how many images of an evaluation's batch there is memory for."""
    image = _blank(parts, parts.network.prepare_evaluation)
    return largest_fitting(evaluation_work(parts.task.judged, image), parts.config.train.eval_batch_size)


def _blank(parts: Parts, prepare: Preparation) -> torch.Tensor:
    split = parts.splits.train
    first, _ = split.batch(torch.zeros(1, dtype=torch.int64, device=split.labels.device))
    return prepare(first)


def _told(option: str, given: int, fits: int, more: str) -> ZooError:
    if not fits:
        return ZooError("out of memory, with a single image; try smaller images or another model")
    if fits == given:  # with what was freed since, or blank images take less
        fits = max(1, given // 2)
        return ZooError(f"out of memory with {option} {given}; try {option} {fits}")
    return ZooError(f"out of memory with {option} {given}; {fits} fits: {option} {fits}{more}")
