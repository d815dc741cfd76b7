"""`zoo.reproduce`: a trained model trained again from its own recipe, and what came out of it beside the first."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoo.config import Config
from zoo.data.identity import Identification
from zoo.errors import UsageError
from zoo.records.directory import RunDirectory
from zoo.reports.statistics import mcnemar
from zoo.runs.committee import is_put_together
from zoo.runs.components import find_components
from zoo.runs.environment import environment_changes
from zoo.runs.evaluating import measured, own_split
from zoo.runs.loading import LoadedRun, load_run, network_with
from zoo.runs.machine import usable_here
from zoo.runs.moved import relocated
from zoo.runs.reporting import Reporter
from zoo.runs.sources import Source, open_source
from zoo.runs.training import Request, start
from zoo.training.arithmetic import own_arithmetic


def reproduce(
    source: str | Path | Any,
    *,
    out: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    threads: int | None = None,
    reporter: Reporter | None = None,
) -> dict[str, Any]:
    """Train a model again from its recipe, on the data that it was trained on, and compare the two.

    Args:
        source: A run, a folder that `zoo.publish` made, its ``model.safetensors`` alone, or a name as for `zoo.load`.
        out: The new run's directory, which must be free; by default a new one under ``runs``.
        options: ``{"data.root": DIR}`` where the data are elsewhere.
        threads: CPU threads; by default those of the source, where it tells.
        reporter: Told what happens; by default nothing is printed.

    Returns:
        ``source`` and ``run``, the new one; ``equal``, whether all weights have the same bits; ``tensors``, and
        ``different``, how many of them have not; ``reasons``, a text for each thing that was computed with and is
        another; ``samples``, test images; ``accuracy`` of the source's weights and ``new_accuracy``, in [0, 1], both
        measured here; ``source_only`` and ``new_only``, images that one alone got right; ``p``, McNemar's, of such a
        split if both were equally good.

    Raises:
        UsageError: If the data are others, before anything is trained, or *out* is not free, or the source is none.
        DamagedError: If the source is damaged.
        ZooError: If the training fails.
    """
    found = open_source(source)
    if is_put_together(found.config, found.step):
        raise UsageError(
            f"{found.where!r} is an ensemble, which is not trained: reproduce the runs that it was made of"
        )
    if not found.as_trained:
        raise UsageError(
            f"the weights of {found.where!r} are not those that its recipe ends with: it is one checkpoint, or was "
            "published with --as-rgb, or not trained by zoo; a run, or what was published as it is, can be reproduced"
        )
    if out is not None and not RunDirectory(out).is_free:
        raise UsageError(f"{str(out)!r} is not free; a reproduction is trained from its beginning, give another --out")
    reporter = reporter or Reporter()
    check = partial(_refuse_other_data, found, reporter)
    request = Request(_to_train(found, options, threads), out=None if out is None else Path(out), check=check)
    run = start(request, reporter)
    return _compared(found, load_run(run.directory))


def _to_train(found: Source, options: Mapping[str, Any] | None, threads: int | None) -> Config:
    """Return the recipe with the source's threads, on a device that is here, and without who watched."""
    config = relocated(found.config, options)
    chosen = threads or config.train.threads or found.environment.get("threads")
    train = usable_here(dataclasses.replace(config.train, threads=chosen))
    return dataclasses.replace(config, train=train, observe=())


def _refuse_other_data(found: Source, reporter: Reporter, images: Identification) -> None:
    if changed := found.changed(images, reporter.notice):
        raise UsageError(
            f"nothing was trained: the data are not those that {found.where} was trained on: {'; '.join(changed)}.\n"
            "Where the right ones are can be told by --set data.root=DIR."
        )


def _compared(found: Source, new: LoadedRun) -> dict[str, Any]:
    weights = new.network.model.state_dict()
    different = [name for name in sorted(weights) if not _same_bits(weights[name].cpu(), found.weights[name])]
    old_right, new_right = _right(found, new) if different else (None, None)
    return {
        "source": found.where,
        "run": str(new.directory),
        "equal": not different,
        "tensors": len(weights),
        "different": len(different),
        "reasons": _reasons(found, new) if different else [],
        **_accuracies(new, old_right, new_right),
    }


def _same_bits(one: Tensor, other: Tensor) -> bool:
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    flat = [tensor.contiguous().reshape(-1).view(torch.uint8) for tensor in (one, other)]
    return torch.equal(*flat)


def _reasons(found: Source, new: LoadedRun) -> list[str]:
    now = new.directory.read_environment()
    reasons = environment_changes(found.environment, now)
    if "threads" not in found.environment:
        reasons.append(f"threads not told by {found.where}, {now['threads']} now; --threads N gives others")
    return reasons


def _accuracies(
    new: LoadedRun, old_right: NDArray[np.bool_] | None, new_right: NDArray[np.bool_] | None
) -> dict[str, Any]:
    """Return both accuracies and how sure their difference is; equal weights are as good as each other."""
    if old_right is None or new_right is None:
        summary = new.directory.read_summary()
        accuracy, samples = summary["test_accuracy"], summary["test"]
        tested = mcnemar(0, 0)
        accuracies = {"samples": samples, "accuracy": accuracy, "new_accuracy": accuracy}
    else:
        tested = mcnemar(int((old_right & ~new_right).sum()), int((new_right & ~old_right).sum()))
        both = {"accuracy": float(old_right.mean()), "new_accuracy": float(new_right.mean())}
        accuracies = {"samples": len(old_right), **both}
    return {**accuracies, "source_only": tested.first_only, "new_only": tested.second_only, "p": tested.p}


def _right(found: Source, new: LoadedRun) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which test images the source's weights get right, and which the new ones do, (N,) each."""
    component = find_components(new.config, only=("model",))["model"]
    with own_arithmetic():
        _, network = network_with(found.weights, component, found.images, new.config.train, found.expects)
        test = own_split(new, "test")
        old = measured(dataclasses.replace(new, network=network), test).predictions
        again = measured(new, test).predictions
    return tuple((each["predictions"] == each["labels"]).numpy() for each in (old, again))  # type: ignore[return-value]
