"""What to tell where a device had too little memory: a batch size that fits, which is tried out."""

from __future__ import annotations

import math

import torch

from zoo.errors import ZooError
from zoo.runs.parts import Parts
from zoo.training.fitting_batch import evaluation_work, largest_fitting, training_work


def memory_short(parts: Parts, *, begun: bool) -> ZooError:
    """Return the error of a run that had too little memory; its model is used up.

    Args:
        parts: The run's.
        begun: Whether a step was taken, so that the optimizer's own tensors are there.
    """
    settings, task = parts.config.train, parts.task
    first, _ = parts.splits.train.batch(torch.zeros(1, dtype=torch.int64, device=parts.splits.train.labels.device))
    image = parts.network.prepare(first)
    most = min(settings.batch_size, len(parts.splits.train))
    fits = largest_fitting(training_work(task.forward, task.criterion, image, begun=begun), most)
    if fits == most:
        judged = parts.network.prepare_evaluation(first)
        fits = largest_fitting(evaluation_work(task.judged, judged), settings.eval_batch_size)
        return _told("--eval-batch-size", settings.eval_batch_size, fits, "")
    batches = math.ceil(most * settings.accumulate / fits) if fits else 0
    return _told("--batch-size", most, fits, f" --accumulate {batches}, which gives steps the same images")


def _told(option: str, given: int, fits: int, more: str) -> ZooError:
    if not fits:
        return ZooError("out of memory, with a single image; try smaller images or another model")
    if fits == given:  # with what was freed since, or blank images take less
        fits = max(1, given // 2)
        return ZooError(f"out of memory with {option} {given}; try {option} {fits}")
    return ZooError(f"out of memory with {option} {given}; {fits} fits: {option} {fits}{more}")
